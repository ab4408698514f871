#lib
# As an ordinary user with 65,536 further ids.
as_user() {
    setpriv --reuid 4242 --regid 4242 --clear-groups env -i "HOME=$BASE/home" "PATH=$PATH" LC_ALL=C USER=tester \
        XDG_RUNTIME_DIR=/run/user/4242 "$@"
}
podman() {
    as_user podman --log-level error --runtime "$RUNTIME" --cgroup-manager cgroupfs --storage-driver vfs --events-backend file "$@"
}
# Neither can limits be raised on every machine, nor has every user /dev/net/tun.
box() { podman run --ulimit host --network none "$@"; }
export -f podman as_user

#begin
echo 'tester:x:4242:4242::/nowhere:/bin/sh' >>/etc/passwd
echo 'tester:x:4242:' >>/etc/group
echo tester:200000:65536 | tee /etc/subuid >/etc/subgid
mkdir -p "$BASE/home" /run/user/4242
chown 4242:4242 "$BASE/home" /run/user/4242
cd "$BASE/home"
podman import -q -c 'ENV PATH=/bin' -c 'CMD ["sh"]' "$IMAGE" localhost/box >/dev/null

#end
cd "$BASE/home"
podman rm -af -t 0 >/dev/null 2>&1 || true

#case run
cd "$BASE/home"
eq "$(box --rm box echo hello)" hello
eq "$(box --rm box cat /proc/self/uid_map | xargs)" '0 4242 1 1 200000 65536'
gives 7 box --rm box sh -c 'exit 7'
gives 127 box --rm box nothing-of-the-kind
gives 126 box --rm box /etc

#case terminal
cd "$BASE/home"
eq "$(box --rm -t box sh -c 'test -t 1 && tty' | tr -d '\r')" /dev/pts/0

#case life
cd "$BASE/home"
box -d --name "$NAME" box sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done' >/dev/null
eq "$(podman exec "$NAME" echo hello)" hello
eq "$(podman exec -u 3 "$NAME" id -u)" 3
podman stop -t 5 "$NAME" >/dev/null
eq "$(podman wait "$NAME")" 5
podman rm "$NAME" >/dev/null

#case users
cd "$BASE/home"
eq "$(box --rm -u 5 box id -u)" 5
eq "$(box --rm --userns keep-id box id -u)" 4242
eq "$(box --rm --userns host box id -u)" 0

#case files
cd "$BASE/home"
mkdir -m 755 v
chown 4242:4242 v
box --rm -v "$BASE/home/v:/v" box touch /v/file
eq "$(stat -c %u v/file)" 4242
gives 1 box --rm --read-only box touch /file
box --rm --tmpfs /t box touch /t/file
box --rm box sh -c 'for d in null zero full random urandom tty; do test -c /dev/$d || exit 1; done; echo x >/dev/null'

#case namespaces-of-the-host
cd "$BASE/home"
eq "$(podman run --rm --ulimit host --network host box readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
eq "$(box --rm --pid host box readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"

#case privileged
cd "$BASE/home"
gives 0 box --rm --privileged box mount -t tmpfs none /tmp

#case pod
cd "$BASE/home"
podman pod create --name "$NAME" --infra-image localhost/box --infra-command '/bin/sleep 60' --network none >/dev/null
podman run -d --pod "$NAME" --name "$NAME-1" --ulimit host box sleep 67 >/dev/null
eq "$(podman run --rm --pod "$NAME" --ulimit host box readlink /proc/self/ns/net)" "$(podman exec "$NAME-1" readlink /proc/self/ns/net)"
podman pod rm -f -t 0 "$NAME" >/dev/null

#case build
cd "$BASE/home"
as_user mkdir ctx
printf 'FROM localhost/box\nRUN id -u > /made\n' | as_user tee ctx/Dockerfile >/dev/null
podman build --network none --isolation oci --ulimit nofile=512:1024 -q -t "$NAME" ctx >out 2>&1 || { cat out >&2; false; }
eq "$(box --rm "$NAME" cat /made)" 0

#case exec
cd "$BASE/home"
box -d --name "$NAME" -e A=1 box sleep 60 >/dev/null
eq "$(podman exec -e B=2 -w /tmp "$NAME" sh -c 'echo $A $B $PWD')" '1 2 /tmp'
eq "$(echo in | podman exec -i "$NAME" cat)" in
gives 3 podman exec "$NAME" sh -c 'exit 3'
gives 127 podman exec "$NAME" nothing-of-the-kind
eq "$(podman exec -t "$NAME" tty | tr -d '\r')" /dev/pts/0
has "$(podman top "$NAME" args)" 'sleep 60'
podman rm -f -t 0 "$NAME" >/dev/null

#case security
cd "$BASE/home"
eq "$(box --rm --cap-drop all box grep CapBnd /proc/self/status | cut -f2)" 0000000000000000
eq "$(box --rm --security-opt no-new-privileges box grep NoNewPrivs /proc/self/status | cut -f2)" 1
eq "$(box --rm box grep -w Seccomp /proc/self/status | cut -f2)" 2
gives 1 box --rm box sh -c 'echo 1 > /proc/sys/kernel/msgmax'
eq "$(box --rm --sysctl net.ipv4.ip_forward=1 box cat /proc/sys/net/ipv4/ip_forward)" 1

#case health-and-kube
cd "$BASE/home"
box -d --name "$NAME" --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 box sleep 60 >/dev/null
gives 1 podman healthcheck run "$NAME"
podman exec "$NAME" touch /tmp/well
gives 0 podman healthcheck run "$NAME"
podman generate kube "$NAME" >"$NAME.yaml"
podman rm -f -t 0 "$NAME" >/dev/null
podman play kube --network none "$NAME.yaml" >out 2>&1 || skip "$(tail -n 1 out)"
podman play kube --down "$NAME.yaml" >/dev/null

#case init
cd "$BASE/home"
test -x /usr/libexec/podman/catatonit || skip 'no catatonit'
has "$(box --rm --init box sh -c 'tr "\000" " " < /proc/1/cmdline')" init

#case rootfs
cd "$BASE/home"
as_user mkdir -p "$NAME"
as_user tar -C "$NAME" --exclude=./dev -xf "$IMAGE"
eq "$(box --rm --rootfs "$BASE/home/$NAME" /bin/echo hello)" hello

#case network
cd "$BASE/home"
command -v slirp4netns >/dev/null || skip 'no slirp4netns'
as_user sh -c ': <>/dev/net/tun' 2>/dev/null || skip 'no /dev/net/tun for a user'
podman run -d --name "$NAME" --ulimit host -p 127.0.0.1:18081:80 box httpd -f -p 80 -h /etc >/dev/null 2>why || skip "$(tail -n 1 why)"
soon busybox wget -qO- http://127.0.0.1:18081/hostname
podman rm -f -t 0 "$NAME" >/dev/null
