# The root filesystem from an NFS server.
# shellcheck shell=sh

features="$features nfs"
nfsroot=

nfs_option() {
	case $1 in
		nfsroot=*) nfsroot=${1#*=} ;;
	esac
}

# Is the root on NFS? $nfsroot becomes [SERVER:]PATH[,OPTIONS].
nfs_before_root() {
	case $root in
		/dev/nfs) ;;
		*:/*) nfsroot=$root${nfsroot:+,$nfsroot} ;;
		*) return 0 ;;
	esac
	root_on_network "root=$root"
	mount_with=mount_nfs
}

mount_nfs() {
	# Without a path the DHCP server's, else the kernel's own default.
	path=${nfsroot%%,*}
	path=${path:-${rootpath:-/tftpboot/%s}}
	case $path in
		*:*) ;;
		*) path=$server:$path ;;
	esac
	case $path in
		*%s*) path=${path%%\%s*}$address${path#*%s} ;;
	esac
	mode=$access
	[ -z "$overlay" ] || mode=ro
	# There is no lock service yet.
	options=$mode,nolock${rootflags:+,$rootflags}
	case $nfsroot in
		*,*) options=$options,${nfsroot#*,} ;;
	esac
	# Where the options name no version, the newer one first, as mount.nfs does.
	case $options in
		*,vers=* | *,nfsvers=* | *,v[234]*) versions=, ;;
		*) versions=",vers=4 ,vers=3" ;;
	esac
	mounted=
	for version in $versions; do
		mount -t nfs -o "$options${version%,}" "$path" $NEW || continue
		mounted=y
		break
	done
	if [ -z "$mounted" ]; then
		rescue "cannot mount $path" "mount -t nfs -o $options $path, versions:$versions" \
			"check root=, nfsroot= and what the server exports to $address"
		return 1
	fi
	source=$path
	type=nfs
	if ! lay_overlay; then
		umount $NEW
		return 1
	fi
	say "root filesystem is $path, nfs, $mode${overlay:+, with overlay=$overlay}"
}
