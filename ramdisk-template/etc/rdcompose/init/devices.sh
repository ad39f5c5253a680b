# Finding block devices: by name, and by what is written on them.
# shellcheck shell=sh
# Lists of words are split on purpose, and busybox's read can count characters:
# shellcheck disable=SC2046,SC2086,SC3045

# await NAME [COMMAND]: wait until the device is there, or a command finds it, looking for new
# drivers meanwhile; at most as many seconds as the command line allows. A slow machine takes
# longer for each round, so the clock counts, not the rounds.
await() {
	found_by=${2:-find_device}
	read_clock
	begun=$now
	told=1
	tick=0
	until "$found_by" "$1"; do
		read_clock
		waited=$((now - begun))
		if [ "$waited" -ge "$told" ]; then
			[ "$told" -gt 1 ] || say "waiting for $1"
			[ "$told" -eq 1 ] || say "still waiting for $1, $waited s"
			told=$((waited / 5 * 5 + 5))
		fi
		# Clocks of whole seconds: up to one of them may be about to end at the beginning.
		[ "$wait" = forever ] || [ "$waited" -le "$wait" ] || return 1
		sleep 0.02
		tick=$((tick + 1))
		[ $((tick % 5)) -ne 0 ] || {
			settle
			coldplug
		}
	done
}

# read_clock: set $now to the whole seconds since the machine was started.
read_clock() {
	read -r now _ < /proc/uptime
	now=${now%.*}
}

# find_device NAME: set $device to the block device that root= names.
find_device() {
	device=
	case $1 in
		UUID=* | LABEL=*) find_tagged "$1" ;;
		PARTUUID=* | PARTLABEL=*) device=$(find_partition "$1") ;;
		# These links are udev's, which is not here.
		/dev/disk/by-uuid/*) find_tagged "UUID=${1##*/}" ;;
		/dev/disk/by-label/*) find_tagged "LABEL=${1##*/}" ;;
		/dev/disk/by-partuuid/*) device=$(find_partition "PARTUUID=${1##*/}") ;;
		/dev/disk/by-partlabel/*) device=$(find_partition "PARTLABEL=${1##*/}") ;;
		*) device=$1 ;;
	esac
	[ -b "$device" ]
}

# find_tagged TAG: set $device to the filesystem of this UUID or label. Each device is read
# once: $probed has a line with type, UUID, label and name of each. busybox's findfs knows
# other filesystems in every distribution, so it is not asked.
find_tagged() {
	if [ "$1" != "$tag" ]; then
		tag=$1
		case $tag in
			UUID=*) wanted="*/$(echo "${tag#*=}" | tr A-F a-f | tr -d -)/*/*" ;;
			*) wanted="*/*/$(hexadecimal "${tag#*=}")/*" ;;
		esac
	fi
	for path in /sys/class/block/*; do
		name=${path##*/}
		case $name in
			fd* | ram*) continue ;;
		esac
		case $probed in
			*"/$name "*) ;;
			*)
				sectors=0
				read -r sectors < "$path/size" || continue
				[ "$sectors" -gt 0 ] || continue
				# A slash in a device's name.
				case $name in
					*!*) probe "/dev/${name%%!*}/${name#*!}" ;;
					*) probe "/dev/$name" ;;
				esac
				probed="$probed$type/$uuid/$label/$name "
				;;
		esac
	done
	set -f
	for line in $probed; do
		# shellcheck disable=SC2254
		case $line in
			$wanted)
				name=${line##*/}
				case $name in
					*!*) device=/dev/${name%%!*}/${name#*!} ;;
					*) device=/dev/$name ;;
				esac
				break
				;;
		esac
	done
	set +f
}

# hexadecimal TEXT: print its bytes.
hexadecimal() {
	for byte in $(printf %s "$1" | od -An -v -tx1); do
		printf %s "$byte"
	done
}

# probe DEVICE: set $type, $uuid and $label, the last two in hexadecimal, by what its first
# blocks hold; empty what is unknown.
probe() {
	type=
	uuid=
	label=
	# The superblocks of ext, f2fs and erofs begin at 1024, that of btrfs at 65536.
	set -- "$1" $(od -An -v -tx1 -N 108 "$1" 2> /dev/null)
	[ $# -eq 109 ] || return 0
	device_read=$1
	shift
	case $1$2$3$4 in
		68737173) type=squashfs ;;
		58465342)
			type=xfs
			field uuid 32 16 "$@"
			set -- $(od -An -v -tx1 -j 108 -N 12 "$device_read")
			field label 0 12 "$@"
			;;
		*)
			case ${55}${56}${57}:${83}${84}${85} in
				464154:*)
					type=vfat
					uuid=${43}${42}${41}${40}
					field label 43 11 "$@"
					;;
				*:464154)
					type=vfat
					uuid=${71}${70}${69}${68}
					field label 71 11 "$@"
					;;
				*) probe_further "$device_read" ;;
			esac
			;;
	esac
}

probe_further() {
	device_read=$1
	set -- $(od -An -v -tx1 -j 1024 -N 140 "$1")
	[ $# -eq 140 ] || return 0
	case $1$2$3$4:${57}${58} in
		*:53ef)
			type=ext4
			field uuid 104 16 "$@"
			field label 120 16 "$@"
			;;
		1020f5f2:*)
			type=f2fs
			field uuid 108 16 "$@"
			set -- $(od -An -v -tx1 -j 1148 -N 512 "$device_read")
			ascii_of_wide "$@"
			;;
		e2e1f5e0:*)
			type=erofs
			field uuid 48 16 "$@"
			field label 64 16 "$@"
			;;
		*)
			set -- $(od -An -v -tx1 -j 65568 -N 40 "$device_read")
			[ "${33}${34}${35}${36}${37}${38}${39}${40}" = 5f42485266535f4d ] || return 0
			type=btrfs
			field uuid 0 16 "$@"
			set -- $(od -An -v -tx1 -j 65835 -N 256 "$device_read")
			field label 0 256 "$@"
			;;
	esac
}

# field NAME OFFSET LENGTH BYTE…: set a variable to bytes of the superblock; a label ends
# at its first NUL, and FAT's without the spaces that fill it.
field() {
	name_of_field=$1
	left=$3
	shift $((3 + $2))
	value=
	for byte; do
		[ "$left" -gt 0 ] || break
		[ "$byte$name_of_field" != 00label ] || break
		value=$value$byte
		left=$((left - 1))
	done
	if [ "$name_of_field" = uuid ]; then
		uuid=$value
		return
	fi
	[ "$type" != vfat ] || while :; do
		case $value in
			*20) value=${value%20} ;;
			*) break ;;
		esac
	done
	label=$value
}

# ascii_of_wide BYTE…: set $label from UTF-16; other letters than ASCII do not match.
ascii_of_wide() {
	while [ $# -gt 1 ] && [ "$1$2" != 0000 ]; do
		label=$label$1
		[ "$2" = 00 ] || label=$label$2
		shift 2
	done
}

# find_partition TAG: print the partition that is named so in its partition table.
find_partition() {
	for path in /sys/class/block/*/partition; do
		[ -r "$path" ] || continue
		read -r number < "$path"
		path=${path%/partition}
		case $1 in
			PARTLABEL=*) tag=PARTLABEL=$(sed -n 's/^PARTNAME=//p' "$path/uevent") ;;
			*) tag=PARTUUID=$(partition_id "$(readlink -f "$path/..")" "$number") ;;
		esac
		if [ "$tag" = "$1" ]; then
			echo "/dev/${path##*/}"
			break
		fi
	done
}

# partition_id SYSFS NUMBER: print the identity of a disk's partition.
partition_id() {
	read -r sector < "$1/queue/logical_block_size"
	disk=/dev/${1##*/}
	number=$2
	if [ "$(dd if="$disk" bs="$sector" skip=1 count=1 2> /dev/null | head -c 8)" = "EFI PART" ]; then
		# An entry of a GPT has 128 bytes, the second 16 are its own GUID; the first
		# three fields of a GUID are little-endian.
		set -- $(od -An -v -tx1 -j $((2 * sector + (number - 1) * 128 + 16)) -N 16 "$disk")
		echo "$4$3$2$1-$6$5-$8$7-$9${10}-${11}${12}${13}${14}${15}${16}"
	else
		set -- $(od -An -v -tx1 -j 440 -N 4 "$disk")
		printf '%s%s%s%s-%02x\n' "$4" "$3" "$2" "$1" "$number"
	fi
}

# guess_type DEVICE: set $type by what its first blocks hold; nothing if unknown. A
# driver that is a module is only loaded for a filesystem that is named.
guess_type() {
	read_start "$1"
	case $start in
		# The modules disk is looked for on every disk: no process for this one.
		hsqs) type=squashfs ;;
		*) probe "$1" ;;
	esac
}

# read_start DEVICE: set $start to its first four bytes, if they are text.
read_start() {
	start=
	IFS= read -r -n 4 start < "$1"
} 2> /dev/null
