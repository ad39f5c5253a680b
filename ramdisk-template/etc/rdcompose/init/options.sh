# The kernel's command line.
# shellcheck shell=sh
# Words are split on purpose:
# shellcheck disable=SC2086

# read_options LINE: split as the kernel does (double quotes keep spaces together, two
# dashes end the kernel's part) and remember what matters here.
read_options() {
	set -f
	argument=
	quoted=
	for word in $1; do
		argument=${quoted:+$argument }$word
		while :; do
			case $word in
				*\"*) word=${word#*\"} ;;
				*) break ;;
			esac
			if [ -n "$quoted" ]; then quoted=; else quoted=y; fi
		done
		[ -z "$quoted" ] || continue
		while :; do
			case $argument in
				*\"*) argument=${argument%%\"*}${argument#*\"} ;;
				*) break ;;
			esac
		done
		[ "$argument" != -- ] || break
		read_option "$argument"
	done
	set +f
}

read_option() {
	case $1 in
		root=*) root=${1#*=} root_named=y ;;
		rootfstype=*) rootfstype=${1#*=} ;;
		rootflags=*) rootflags=${1#*=} ;;
		rootwait) wait=forever ;;
		rootwait=*[!0-9]* | rootdelay=*[!0-9]*) warn "$1 is no number of seconds" ;;
		rootwait=?* | rootdelay=?*) wait=${1#*=} ;;
		ro | rw) access=$1 ;;
		init=*) init=${1#*=} init_named=y ;;
		single) single=y ;;
		quiet) quiet=y ;;
		break) breaks=premount ;;
		break=*) read_break "${1#*=}" ;;
		panic=*) panic=${1#*=} ;;
		fsck.mode=*) fsck=${1#*=} ;;
		modprobe.blacklist=*) blacklist "${1#*=}" ;;
		rdcompose.modules=*) modules=${1#*=} ;;
		overlay=*) overlay=${1#*=} ;;
		rdcompose.debug) set -x ;;
	esac
	for feature in $features; do
		"${feature}_option" "$1"
	done
}

# read_break NAME,NAME: the moments at which a shell is wanted.
read_break() {
	breaks=$1
	IFS=,
	for name in $1; do
		case $name in
			top | modules | premount | mount | bottom) ;;
			*) warn "break=$name: there are top, modules, premount, mount and bottom" ;;
		esac
	done
	unset IFS
}

# blacklist NAME,NAME: modprobe -b leaves these out.
blacklist() {
	mkdir -p /etc/modprobe.d
	IFS=,
	for name in $1; do
		echo "blacklist $name"
	done >> /etc/modprobe.d/cmdline.conf
	unset IFS
}
