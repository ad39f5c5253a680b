# The end of the boot: over to the root's init, or a machine that stays in this initramfs.
# shellcheck shell=sh

# Does the init of this root mount /proc, /sys and /dev itself, and stop where that is
# done already? MiniVM's mininit does; its start script gives it away.
mounts_itself() {
	[ "$init" = /sbin/init ] && [ -f "$NEW/etc/init.sh" ]
}

hand_over() {
	settle
	say "starting $init"
	{
		if ! mounts_itself; then
			for place in dev sys run proc; do
				[ ! -d "$NEW/$place" ] || echo "/$place $NEW/$place none move 0 0"
			done
		fi
		# switch_root deletes this initramfs, but nothing below a mount point: what
		# overlays show of it stays under this empty one.
		[ -z "$layered" ] || echo "none $OWN_MODULES tmpfs ro,size=4k 0 0"
	} > /etc/fstab.new
	mount -a -T /etc/fstab.new
	exec switch_root "$NEW" "$init" "$@"
}

# stay: the machine lives in RAM. Its init is the program that init= names, else this
# script, with a shell on every console.
stay() {
	settle
	if [ -n "$init_named" ]; then
		until [ -x "$init" ]; do
			rescue "this initramfs holds no program $init" "root=none init=$init" \
				"check init=; without it there is a shell on each console"
		done
		say "starting $init of the initramfs"
		exec "$init" "$@"
	fi
	say "this machine has no root filesystem: a shell on each console"
	read -r consoles < /sys/class/tty/console/active
	# shellcheck disable=SC2086 # a list of words
	offer_shells $consoles
}

# offer_shells TTY…: a shell on each, again and again, until the machine ends. In a pipeline,
# because what & starts ignores the terminal's interrupt for good. The shell that waits for
# the pipeline takes care of orphans, too.
offer_shells() {
	if [ $# -gt 1 ]; then
		offer_shells "$1" | {
			shift
			offer_shells "$@"
		}
		return
	fi
	while :; do
		setsid -c sh -i <> "/dev/$1" >&0 2>&1
		sleep 1
	done
}
