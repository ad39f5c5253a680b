# The network, set up as ip= says: the kernel's own way to do that
# (Documentation/admin-guide/nfs/nfsroot.rst) is not in Debian's kernels.
# shellcheck shell=sh
# Lists of words are split on purpose:
# shellcheck disable=SC2086

features="$features network"
ip_option=
network_up=
address=
server=
rootpath=

network_option() {
	case $1 in
		ip=*) ip_option=${1#*=} ;;
	esac
}

# ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS:DNS:NTP, or AUTOCONF alone.
network_before_root() {
	[ -z "$network_up" ] || return 0
	case $ip_option in
		'' | off | none | static) return 0 ;;
		*:*) ;;
		on | any | dhcp | both | bootp) ip_option=::::::dhcp ;;
		*) ip_option=$ip_option::::::off ;;
	esac
	IFS=:
	set -f
	set -- $ip_option
	set +f
	unset IFS
	address=$1
	server=$2
	gateway=$3
	netmask=$4
	hostname=$5
	interface=$6
	method=${7:-on}
	servers="$8 $9"
	case $address:$method in
		?*:*) method=static ;;
		:on | :any | :dhcp | :both | :bootp) method=dhcp ;;
		*)
			warn "ip=$ip_option names no address and no way to get one"
			return
			;;
	esac
	until set_up_network; do
		rescue "the network is not there" "ip=$ip_option on:${interfaces:- no interface}" \
			"check ip=, the cable, the server; the network card's driver may be missing in the initramfs"
		coldplug
	done
}

# root_on_network WHY: the root needs a network, also where ip= does not ask for one.
root_on_network() {
	case $ip_option in
		'' | off | none)
			warn "$1 needs a network, ip= asks for none: taking ip=dhcp"
			ip_option=dhcp
			;;
	esac
	network_before_root
}

# set_up_network: bring up the interface that is named, or the first that has an answer.
set_up_network() {
	begun=
	mkdir -p $LAYERS
	while :; do
		find_interfaces
		[ -z "$interfaces" ] || break
		read_clock
		begun=${begun:-$now}
		[ "$wait" = forever ] || [ $((now - begun)) -le "$wait" ] || return 1
		sleep 0.1
		coldplug
	done
	for each in $interfaces; do
		"by_$method" "$each" || continue
		network_up=$each
		[ ! -r $LAYERS/resolv.conf ] || cat $LAYERS/resolv.conf > /etc/resolv.conf
		# The name that ip= gives wins over the server's.
		[ -z "$hostname" ] || echo "$hostname" > /proc/sys/kernel/hostname
		say "network is up on $each, address $address"
		return 0
	done
	return 1
}

# find_interfaces: set $interfaces to those that ip= means and that are there.
find_interfaces() {
	interfaces=
	for path in /sys/class/net/${interface:-*}; do
		[ -e "$path/device" ] && interfaces="$interfaces ${path##*/}"
	done
}

by_dhcp() {
	ifconfig "$1" up
	if [ -n "$quiet" ]; then
		udhcpc -i "$1" -n -q -f -t 5 -T 2 -s /etc/rdcompose/dhcp -O rootpath \
			${hostname:+-x "hostname:$hostname"} > /dev/null 2>&1 || return 1
	else
		udhcpc -i "$1" -n -q -f -t 5 -T 2 -s /etc/rdcompose/dhcp -O rootpath \
			${hostname:+-x "hostname:$hostname"} || return 1
	fi
	read -r address < $LAYERS/address
	[ -n "$server" ] || read -r server < $LAYERS/server
	read -r rootpath < $LAYERS/rootpath
}

by_static() {
	ifconfig "$1" "$address" ${netmask:+netmask "$netmask"} up || return 1
	[ -z "$gateway" ] || route add default gw "$gateway" dev "$1" || return 1
	for each_server in $servers; do
		echo "nameserver $each_server"
	done > $LAYERS/resolv.conf
}
