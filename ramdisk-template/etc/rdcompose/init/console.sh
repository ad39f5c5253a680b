# Talking to the person at the console: steps, warnings, failures, shells.
# shellcheck shell=sh

# say TEXT: a step that was taken, with the seconds since the machine was started.
say() {
	[ -z "$quiet" ] || return 0
	read -r clock _ < /proc/uptime
	echo "rdcompose: [$clock] $*"
}

warn() {
	echo "rdcompose: warning: $*"
}

# rescue WHAT TRIED ADVICE: say what failed, what was done about it, what there is and how
# to go on; then restart or offer a shell. The caller tries again afterwards.
rescue() {
	settle
	echo
	echo "rdcompose: error: $1"
	echo "rdcompose: tried: $2"
	[ -z "$mismatch" ] || echo "rdcompose: $mismatch"
	show_machine
	echo "rdcompose: $3"
	if [ "${panic:-0}" -ne 0 ] 2> /dev/null; then
		echo "rdcompose: restarting, because the command line has panic=$panic"
		[ "$panic" -lt 0 ] || sleep "$panic"
		reboot -f
	fi
	shell "leave this shell (exit) to try again; reboot -f and poweroff -f end it all"
}

show_machine() {
	echo "rdcompose: block devices that the kernel sees:"
	cat /proc/partitions
	loaded=
	while read -r name _; do
		loaded="$loaded $name"
	done < /proc/modules
	echo "rdcompose: modules that are loaded:${loaded:- none}"
	# The network is a feature; an image without it has nothing to show here.
	addresses=$(ip -o -4 addr show scope global 2> /dev/null)
	[ -z "$addresses" ] || echo "rdcompose: network addresses:
$addresses"
}

shell() {
	echo "rdcompose: $1"
	# A session of its own, with the console as its terminal: job control and ^C work.
	setsid -c sh -i < /dev/console > /dev/console 2>&1
	echo "rdcompose: going on"
}

# moment NAME: a defined point of the boot. The command line may ask for a shell here, and
# the image may hold scripts to run.
moment() {
	case ,$breaks, in
		*,$1,*)
			settle
			shell "shell because of break=$1; leave it (exit) to go on"
			;;
	esac
	for script in /etc/rdcompose.d/"$1"/*; do
		[ -x "$script" ] || continue
		settle
		say "running $script"
		"$script" || warn "$script ended with status $?"
	done
}
