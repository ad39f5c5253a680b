# The root filesystem on a network block device, by busybox's nbd-client or the real one.
# shellcheck shell=sh

features="$features nbd"
nbdroot=

nbd_option() {
	case $1 in
		nbdroot=*) nbdroot=${1#*=} ;;
	esac
}

# Connect /dev/nbd0 to HOST[:PORT]/NAME, or HOST[:PORT] for a server's only export.
nbd_before_root() {
	[ -n "$nbdroot" ] || return 0
	root_on_network nbdroot
	# A partition of it may be the root, if root= says so.
	[ -n "$root_named" ] || root=/dev/nbd0
	place=${nbdroot%%/*}
	name=
	case $nbdroot in
		*/*) name=${nbdroot#*/} ;;
	esac
	port=10809
	case $place in
		*:*) port=${place##*:} ;;
	esac
	place=${place%:*}
	# Small blocks: what is in the image may be made of them.
	# Without a host it is the one that the DHCP server or ip= names.
	set -- -b 512 ${name:+-N "$name"} "${place:-$server}" "$port" /dev/nbd0
	find_client
	# systemd ends what is not marked before it unmounts the root; busybox cannot mark.
	[ -z "$is_real" ] || set -- "$@" -systemd-mark
	modprobe -bq nbd
	until await /dev/nbd0 && connect_nbd "$@" && await_size; do
		rescue "cannot connect nbdroot=$nbdroot" "$client $*" \
			"check nbdroot=, the server and its exports; the module nbd must be in the initramfs"
	done
	say "/dev/nbd0 is $nbdroot"
}

# find_client: set $client to a real nbd-client, if there is one, else to busybox's. By its
# path: busybox's shell prefers its own applets.
find_client() {
	is_real=
	for path in /usr/sbin/nbd-client /sbin/nbd-client /usr/bin/nbd-client /bin/nbd-client; do
		[ -x "$path" ] || continue
		client=$path
		case $(readlink -f "$path") in
			*/busybox) ;;
			*)
				is_real=y
				return
				;;
		esac
	done
}

connect_nbd() {
	if [ -z "$quiet" ]; then
		"$client" "$@"
		return
	fi
	report=$("$client" "$@" 2>&1) && return
	echo "$report"
	return 1
}

# await_size: busybox's nbd-client returns a moment before the device has a size; at most as
# long as a root is waited for.
await_size() {
	read_clock
	begun=$now
	while :; do
		read -r sectors < /sys/class/block/nbd0/size
		[ "$sectors" -eq 0 ] || return 0
		read_clock
		[ "$wait" = forever ] || [ $((now - begun)) -le "$wait" ] || return 1
		sleep 0.02
	done
}
