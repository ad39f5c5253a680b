# The root filesystem: checked and mounted.
# shellcheck shell=sh

# check DEVICE TYPE: repair an ext filesystem that will be written to, as far as that needs
# no decision. Fails when a person has been asked to do something.
check() {
	case $2:$fsck in
		ext[234]:skip) return 0 ;;
		ext[234]:*) ;;
		*) return 0 ;;
	esac
	if ! [ -x /sbin/e2fsck ]; then
		say "$1 is not checked: this image has no e2fsck"
		return
	fi
	force=
	[ "$fsck" != force ] || force=-f
	if [ -z "$quiet" ]; then
		e2fsck -p $force "$1"
		status=$?
	else
		report=$(e2fsck -p $force "$1" 2>&1)
		status=$?
		[ "$status" -eq 0 ] || echo "$report"
	fi
	# Bits, as e2fsck(8) has them: 1 corrected, 2 restart needed, 4 errors are left;
	# from 8 on it could not do its work.
	if [ "$status" -ge 8 ]; then
		rescue "e2fsck cannot check $1: it ended with status $status" "e2fsck -p $force $1" 			"look at the lines above; fsck.mode=skip on the command line boots without a check"
		return 1
	fi
	if [ $((status & 4)) -ne 0 ]; then
		rescue "e2fsck cannot repair $1 by itself" "e2fsck -p $force $1" 			"run e2fsck $1 and answer it"
		return 1
	fi
	if [ $((status & 2)) -ne 0 ]; then
		echo "rdcompose: $1 was repaired in a way that needs a restart: restarting"
		reboot -f
	fi
	[ $((status & 1)) -eq 0 ] || echo "rdcompose: $1 had errors: e2fsck has corrected them"
}

# has_init: is the program to start in the filesystem on $NEW? A link may point to what
# only resolves in the new root.
has_init() {
	[ -x "$NEW$init" ] || [ -L "$NEW$init" ]
}

# The kernel names SCSI disks in the order in which they answer, which is not the same at
# every boot. Where the modules disk got the root's name, $device becomes the first disk
# that holds the root's init; one on USB may come a while after the first.
sidestep_modules() {
	start=
	case $device in
		/dev/sd?) read_start "$device" ;;
	esac
	[ "$start" = hsqs ] && mount -t squashfs -o ro "$device" $DISK 2> /dev/null || return
	taken=
	[ ! -d "$DISK/$release" ] || taken=$device
	umount $DISK
	[ -n "$taken" ] || return
	if await "the root: $taken is the modules disk" find_other_root; then
		warn "$taken is the modules disk, the root is $device; root=UUID= or LABEL= does not change"
	else
		device=$taken
	fi
}

# find_other_root: set $device to the first disk but $taken that holds the root's init.
find_other_root() {
	for path in /sys/class/block/sd?; do
		device=/dev/${path##*/}
		[ "$device" != "$taken" ] || continue
		guess_type "$device"
		mount ${type:+-t "$type"} -o ro "$device" $NEW 2> /dev/null || continue
		if has_init; then
			umount $NEW
			return
		fi
		umount $NEW
	done
	return 1
}

# mount_root: bring the root filesystem to $NEW. Fails when a person has been asked to do
# something about it.
mount_root() {
	if [ -n "$mount_with" ]; then
		"$mount_with" || return 1
	else
		mount_device || return 1
	fi
	if ! has_init; then
		rescue "$source holds no program $init" "mounted $source on $NEW" \
			"check root= and init=; it is mounted on $NEW"
		unmount_root
		return 1
	fi
	compare_release
}

# mount_device: the root is on a block device.
mount_device() {
	# The names of these depend on which others there are.
	case $root in
		/dev/sd*) settle ;;
	esac
	if ! await "$root"; then
		rescue "the root device $root is not there" \
			"waited $waited s for it, and loaded a driver for every device that appeared" \
			"check root= and the machine's disks; a driver may be missing in the initramfs"
		probed=
		return 1
	fi
	sidestep_modules
	type=$rootfstype
	[ -n "$type" ] || guess_type "$device"
	mode=$access
	# Under an overlay nothing is written to the root.
	[ -z "$overlay" ] || mode=ro
	[ "$mode" = ro ] || check "$device" "$type" || return 1
	options=$mode${rootflags:+,$rootflags}
	if ! mount ${type:+-t "$type"} -o "$options" "$device" $NEW; then
		rescue "cannot mount $device${type:+ as $type}" \
			"mount ${type:+-t $type }-o $options $device" \
			"check rootfstype= and rootflags=; the filesystem's module may be missing in the initramfs"
		return 1
	fi
	source=$device
	rootdevice=$device
	if ! lay_overlay; then
		umount $NEW
		return 1
	fi
	say "root filesystem is $device${type:+, $type}, $mode${overlay:+, with overlay=$overlay}"
}

unmount_root() {
	umount $NEW
	[ -z "$overlay" ] || umount $LAYERS/overlay $LAYERS/root
}

# lay_overlay: where overlay= asks for it, make what is mounted on $NEW the lower layer of a
# filesystem that can be written to.
lay_overlay() {
	[ -n "$overlay" ] || return 0
	mkdir -p $LAYERS/root $LAYERS/overlay
	lower_type=$type
	if ! mount_upper; then
		type=$lower_type
		return 1
	fi
	type=$lower_type
	mkdir -p $LAYERS/overlay/upper $LAYERS/overlay/work
	mount -o move $NEW $LAYERS/root
	layers=lowerdir=$LAYERS/root,upperdir=$LAYERS/overlay/upper,workdir=$LAYERS/overlay/work
	if ! mount -t overlay -o "$layers" overlay $NEW; then
		rescue "cannot lay overlay=$overlay over the root" "mount -t overlay -o $layers" \
			"overlayfs must be in the kernel or in modules.ramfs, and the upper filesystem ext4, xfs, btrfs or tmpfs"
		umount $LAYERS/overlay
		mount -o move $LAYERS/root $NEW
		return 1
	fi
}

# mount_upper: mount what takes the changes on $LAYERS/overlay.
mount_upper() {
	if [ "$overlay" = tmpfs ]; then
		mount -t tmpfs -o mode=0755 tmpfs $LAYERS/overlay
		return
	fi
	if ! await "$overlay"; then
		rescue "the device overlay=$overlay is not there" "waited $waited s for it" \
			"check overlay= and the machine's disks; overlay=tmpfs keeps changes in memory"
		probed=
		return 1
	fi
	guess_type "$device"
	check "$device" "$type" || return 1
	if ! mount ${type:+-t "$type"} -o rw "$device" $LAYERS/overlay; then
		rescue "cannot mount overlay=$overlay${type:+ as $type}" \
			"mount ${type:+-t $type }-o rw $device" \
			"it needs a filesystem that can be written to, and its module in the initramfs"
		return 1
	fi
}

# compare_release: a root may say which kernel it was made for.
compare_release() {
	[ -r $NEW/etc/rdcompose/expected-release ] || return 0
	read -r expected < $NEW/etc/rdcompose/expected-release
	[ "$expected" = "$release" ] ||
		warn "the root expects the kernel $expected, this is $release: boot it with kernel and initramfs of $expected, or change its /etc/rdcompose/expected-release"
}
