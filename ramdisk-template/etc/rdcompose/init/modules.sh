# The modules disk: found, and laid over /lib/modules/RELEASE of the new root.
# shellcheck shell=sh
# Words are split on purpose:
# shellcheck disable=SC2086

# find_disk: mount the modules disk of this kernel on $DISK. What has to be said about
# others is put in $strangers.
find_disk() {
	strangers=
	# Optical drives last: one without a disc takes a while to say so.
	for path in /sys/class/block/[!s]* /sys/class/block/s[!r]* /sys/class/block/sr*; do
		name=${path##*/}
		case $name in
			"${rootdevice##*/}" | fd* | loop* | ram* | zram*) continue ;;
		esac
		sectors=0
		[ -r "$path/size" ] && read -r sectors < "$path/size"
		[ "$sectors" -gt 0 ] || continue
		# A slash in a device's name.
		case $name in
			*!*) name=${name%%!*}/${name#*!} ;;
		esac
		read_start "/dev/$name"
		[ "$start" = hsqs ] || continue
		if use_disk "/dev/$name" squashfs; then
			return
		fi
	done
	return 1
}

# use_disk DEVICE TYPE: mount it on $DISK if it holds the modules of this kernel.
use_disk() {
	if ! mount ${2:+-t "$2"} -o ro "$1" $DISK; then
		strangers="$strangers; $1 cannot be mounted"
		return 1
	fi
	source=$1
	[ ! -d "$DISK/$release" ] || return 0
	strangers="$strangers; $1 is for $(cd $DISK && echo *)"
	umount $DISK
	return 1
}

# resolve PATH: set $place to where a path of the new root really is.
resolve() {
	place=$NEW
	IFS=/
	set -- $1
	unset IFS
	for part; do
		place=$place/$part
		for _ in 1 2 3 4 5 6 7 8; do
			[ -L "$place" ] || break
			target=$(readlink "$place")
			case $target in
				/*) place=$NEW$target ;;
				*) place=${place%/*}/$target ;;
			esac
		done
	done
}

# make_place: make the directory $place; where the root filesystem is read-only, by
# showing its nearest parent through an overlay that has it.
make_place() {
	[ ! -d "$place" ] || return 0
	mkdir -p "$place" 2> /dev/null && return
	parent=${place%/*}
	rest=${place##*/}
	until [ -d "$parent" ]; do
		rest=${parent##*/}/$rest
		parent=${parent%/*}
	done
	[ "$parent" != "$NEW" ] && mkdir -p "$SKELETON/$rest" &&
		mount -t overlay -o "ro,lowerdir=$SKELETON:$parent" overlay "$parent" &&
		layered=y
}

# Make every module of this kernel loadable in the new root: what is on the disk and,
# where the disk has only the rest, what is in this initramfs.
lay_modules() {
	[ "$kind" != none ] || return 0
	find_modules || return 0
	resolve "lib/modules/$release"
	if ! make_place; then
		warn "the root has no directory for modules: make /lib/modules in it"
		return
	fi
	if [ "$kind" = remaining ] && [ -d "$OWN_MODULES/$release/kernel" ]; then
		# The disk is the upper layer: its indexes describe all modules, those of the
		# initramfs only a part.
		layers=$DISK/$release:$OWN_MODULES/$release
		if mount -t overlay -o "ro,lowerdir=$layers" overlay "$place"; then
			layered=y
			say "modules are on $source and in the initramfs"
			return
		fi
		warn "no overlayfs: modules of the initramfs are missing in /lib/modules/$release"
	fi
	if mount -o bind "$DISK/$release" "$place"; then
		say "modules are on $source"
	else
		warn "cannot show $source at /lib/modules/$release"
	fi
}

# find_modules: the disk that the command line names, or one that is there.
find_modules() {
	if [ -n "$modules" ]; then
		name_disk && return
		rescue "$modules is no modules disk for $release$strangers" \
			"rdcompose.modules=$modules" \
			"check rdcompose.modules=; without that option the disk is looked for"
		name_disk
		return
	fi
	find_disk && return
	# It may be on a controller that takes its time.
	settle
	for _ in 1 2 3 4 5; do
		find_disk && return
		[ -z "$strangers" ] || break
		# A disk may come a moment after its controller's driver.
		sleep 0.1
	done
	[ -n "$quiet" ] && [ -z "$strangers" ] ||
		echo "rdcompose: there is no modules disk for $release$strangers"
	return 1
}

name_disk() {
	strangers=
	if ! await "$modules"; then
		strangers="; it is not there"
		return 1
	fi
	guess_type "$device"
	use_disk "$device" "$type"
}
