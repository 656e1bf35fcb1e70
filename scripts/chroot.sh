# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# chroot.sh - chroots of Debian's releases, and commands inside
#
# To be sourced in the tree, after test/support/results.sh. It takes root, and for a new chroot the
# network. $cache may be set anew before the first call.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/rtaio/releases
mirror=http://deb.debian.org/debian
# Not empty: make the chroots anew.
fresh=
limit_s=2700

# chroot_start: what each of these takes.
chroot_start() {
	[ "$(id -u)" -eq 0 ] || { echo "${0##*/}: a chroot takes root" >&2 && return 2; }
	scripts/install-missing debootstrap
}

# make_chroot release: leaves it in $chroot.
make_chroot() {
	local scripts=/usr/share/debootstrap/scripts script=$1

	chroot=$cache/$1
	[ -z "$fresh" ] || rm -rf "$chroot"
	if [ ! -d "$chroot" ]; then
		echo "making a chroot of $1: $chroot"
		mkdir -p "$cache"
		rm -rf "$chroot.new"
		[ -e "$scripts/$script" ] || script=sid # newer than debootstrap
		debootstrap --variant=minbase "$1" "$chroot.new" "$mirror" "$scripts/$script" \
			>"$cache/$1.log" 2>&1 || { tail -n 20 "$cache/$1.log" && return 1; }
		# A mirror that stands still is as good.
		echo 'Acquire::Check-Valid-Until "false";' >"$chroot.new/etc/apt/apt.conf.d/99rtaio"
		mv "$chroot.new" "$chroot"
	fi
	cp -L /etc/resolv.conf "$chroot/etc/resolv.conf"
}

copy_tree() {
	rm -rf "$chroot/rtaio"
	mkdir "$chroot/rtaio" && tar -c --exclude=./build --exclude=./.git . | tar -x -C "$chroot/rtaio"
}

# Run by sh as root of a mount name space of its own: directory command. The directory becomes the
# root, since a mere chroot may not make user name spaces, and the command is run in the copied tree.
# shellcheck disable=SC2016
enter='mount --bind "$1" "$1" && cd "$1" &&
	mount -t proc proc proc && mount --rbind /dev dev && mount --rbind /sys sys &&
	pivot_root . . && umount -l . && cd /rtaio && exec bash -c "$2"'

# inside command: in the release, with an environment of its own. Mounts and processes go with their
# name spaces.
inside() {
	timeout --foreground --kill-after=10 "$limit_s" \
		env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		${RTAIO_TEST_DEADLINE_MS:+"RTAIO_TEST_DEADLINE_MS=$RTAIO_TEST_DEADLINE_MS"} \
		unshare --mount --pid --fork --kill-child sh -c "$enter" sh "$chroot" "$1"
}

# step name command: the same, and counts.
step() {
	echo "== $1"
	if inside "$2"; then
		pass "$1"
	else
		fail "$1"
		return 1
	fi
}
