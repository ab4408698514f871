# The ground that all engines of one run stand on, in namespaces of its own: what is changed here is gone with them.
mount --make-rshared /
mount -t tmpfs -o mode=755 corten-test "$BASE"
# What engines keep in the host's usual places lands here.
for dir in etc var/lib; do
    mkdir -p "$BASE/own/$dir/upper" "$BASE/own/$dir/work"
    mount -t overlay -o "lowerdir=/$dir,upperdir=$BASE/own/$dir/upper,workdir=$BASE/own/$dir/work" overlay "/$dir"
done
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/lock /run/user
if [ "$CGROUPS" = v2 ]; then
    umount -R /sys/fs/cgroup
    mount -t cgroup2 none /sys/fs/cgroup
fi
ip link set lo up
mkdir -p "$BASE/work" "$BASE/bin"
cp "$RUNTIME_FILE" "$RUNTIME"

# The image: busybox alone.
image=$BASE/image
mkdir -p "$image"/{bin,dev,etc,proc,sys,root,home,var,tmp}
chmod 1777 "$image/tmp"
cp "$(command -v busybox)" "$image/bin/busybox"
for applet in $(busybox --list); do
    [ "$applet" = busybox ] || ln -s busybox "$image/bin/$applet"
done
printf '%s\n' root:x:0:0:root:/root:/bin/sh daemon:x:1:1:daemon:/usr/sbin:/bin/false nobody:x:65534:65534:nobody:/home:/bin/false >"$image/etc/passwd"
printf '%s\n' root:x:0: daemon:x:1: wheel:x:10:root nogroup:x:65534: >"$image/etc/group"
echo busybox >"$image/etc/hostname"
tar -C "$image" -cf "$IMAGE" .
printf '#!/bin/sh\n' >"$BASE/not-executable"
