# Drivers: those that the profile names, and those that devices ask for.
# shellcheck shell=sh
# Lists of words are split on purpose:
# shellcheck disable=SC2013,SC2086

# read_composition: what was composed: which modules the disk has, and for which kernel.
read_composition() {
	[ ! -r /etc/rdcompose/disk ] || read -r kind < /etc/rdcompose/disk
	[ "$modules" != none ] || kind=none
	[ -r /etc/rdcompose/release ] || return 0
	read -r composed < /etc/rdcompose/release
	if [ "$composed" != "$release" ]; then
		mismatch="this initramfs is for $composed, the kernel is $release: none of its modules can be loaded"
		warn "$mismatch"
	fi
}

# Load drivers in two processes: devices of virtio, which are there at once, in this one;
# and in another one all else, where each disk controller takes its time. That one goes on
# while the root is looked for and mounted; settle waits for it.
load_drivers() {
	say "loading drivers for $release"
	read_autoload
	layering=
	[ "$kind" = none ] || layering="squashfs overlay"
	mkdir -p $LAYERS
	{
		pass_over=quick
		# Before any controller's driver that of SCSI disks: when all disks wait for it
		# already, their names get mixed up.
		coldplug $names sd_mod
		echo "$seen" > $LAYERS/drivers
	} &
	loading=$!
	pass_over=slow
	# Along in the same call comes what the modules disk needs.
	coldplug $layering
	pass_over=
}

# settle: wait until drivers are loaded for all devices that were found at first.
settle() {
	[ -n "$loading" ] || return 0
	wait "$loading"
	loading=
	IFS= read -r more_seen < $LAYERS/drivers
	rm $LAYERS/drivers
	seen=$seen$more_seen
	# Each process has left devices to the other one: look at all of them again.
	known=' '
	coldplug
	check_autoload
}

# read_autoload: set $names to the support modules that no device asks for, in the order
# of the list. A line may hold options after the name: such a module is loaded at once.
read_autoload() {
	names=
	[ -r /etc/modules.autoload ] || return
	while read -r name options; do
		case $name in
			'' | \#*) continue ;;
		esac
		names="$names $name"
		case $options in
			'' | \#*) ;;
			*) modprobe -bq "$name" $options ;;
		esac
	done < /etc/modules.autoload
}

# Say which modules of the list are not there now.
check_autoload() {
	missing=
	for name in $names; do
		module=$name
		while :; do
			case $module in
				*-*) module=${module%%-*}_${module#*-} ;;
				*) break ;;
			esac
		done
		[ -d "/sys/module/$module" ] || missing="$missing $name"
	done
	for name in $missing; do
		# What is built in need not show up in /sys/module.
		modprobe -bq "$name" || warn "the module $name of /etc/modules.autoload does not load"
	done
}

# Load the modules named and a driver for every device there is. A driver may bring new
# devices (a controller its disks), so go round until none is new. Most devices need no
# driver or have none in this image: modprobe's status says nothing. One after the other,
# so that controllers come in the same order at every boot.
coldplug() {
	fresh="$*"
	for _ in 1 2 3 4 5 6 7 8; do
		# All modalias files are here; a walk through /sys finds no more and takes ten
		# times as long. Devices of the last two buses tell theirs in uevent only.
		files=
		for file in /sys/bus/*/devices/*/modalias /sys/class/input/*/modalias \
			/sys/class/dmi/*/modalias /sys/devices/system/*/modalias \
			/sys/bus/mmc/devices/*/uevent /sys/bus/auxiliary/devices/*/uevent; do
			case $known in
				*" $file "*) ;;
				*) files="$files $file" ;;
			esac
		done
		[ -n "$files$fresh" ] || break
		known="$known$files "
		set -f
		for alias in $(cat /dev/null $files 2> /dev/null); do
			alias=${alias#MODALIAS=}
			case $seen in
				*" $alias "*) continue ;;
			esac
			# The other process takes care of these. virtio's SCSI controllers are not among
			# the quick ones: they name their disks as all others do, and keep their place.
			case $pass_over:$alias in
				quick:pci:v00001AF4* | quick:virtio:d0000000[12]v*) continue ;;
				slow:pci:v00001AF4* | slow:virtio:d0000000[12]v*) ;;
				slow:*) continue ;;
			esac
			seen="$seen$alias "
			case $alias in
				cpu:*) alias=$(of_processor "$alias") ;;
			esac
			fresh="$fresh $alias"
		done
		[ -z "$fresh" ] || modprobe -abq $fresh
		set +f
		fresh=
	done
}

# of_processor MODALIAS: print the modules for features of the processor. Its modalias names all of
# them, and busybox's modprobe looks at the first 255 characters of one.
of_processor() {
	sed -n 's/^alias \(cpu:.*\)/\1/p' "/lib/modules/$release/modules.alias" 2> /dev/null |
		while read -r pattern module; do
			# shellcheck disable=SC2254 # a pattern it is
			case $1 in
				$pattern) echo "$module" ;;
			esac
		done
}
