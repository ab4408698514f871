#lib
podman() {
    command podman --root "$BASE/store" --runroot "$BASE/run" --tmpdir "$BASE/tmp" --storage-driver overlay --cgroup-manager cgroupfs \
        --events-backend file --network-config-dir "$BASE/net" --network-backend cni --runtime "$RUNTIME" "$@"
}
export -f podman
# Podman raises limits, which not every machine lets it.
box() { podman run --ulimit host --cgroup-parent "$PARENT" --network none "$@"; }
export -f box
again() { soon bash -c "$1"; }

#begin
podman import -q -c 'ENV PATH=/bin' -c 'CMD ["sh"]' "$IMAGE" localhost/box >/dev/null

#end
podman ps -aq | xargs -r -I{} bash -c 'podman rm -f -t 0 {}' >/dev/null 2>&1 || true
podman pod ps -q | xargs -r -I{} bash -c 'podman pod rm -f {}' >/dev/null 2>&1 || true

#case run
eq "$(box --rm box echo hello)" hello
eq "$(echo in | box --rm -i box cat)" in
gives 7 box --rm box sh -c 'exit 7'
eq "$(pty box --rm -it box sh -c 'test -t 0 && tty')" /dev/pts/0

#case bad-commands
gives 127 box --rm box nothing-of-the-kind
has "$said" 'executable file'
gives 126 box --rm box /etc/passwd
gives 126 box --rm box /etc

#case life
box -d --name "$NAME" box sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
again 'podman logs $NAME | grep -q ready'
podman pause "$NAME" >/dev/null
eq "$(podman inspect -f '{{.State.Status}}' "$NAME")" paused
podman unpause "$NAME" >/dev/null
podman stop -t 5 "$NAME" >/dev/null
eq "$(podman wait "$NAME")" 5
podman start "$NAME" >/dev/null
podman kill "$NAME" >/dev/null
eq "$(podman wait "$NAME")" 137
podman rm "$NAME" >/dev/null

#case exec
box -d --name "$NAME" -e A=1 box sleep 60 >/dev/null
eq "$(podman exec "$NAME" sh -c 'echo $A')" 1
eq "$(podman exec -u 1:1 -w /tmp "$NAME" sh -c 'id -u; pwd' | xargs)" '1 /tmp'
eq "$(echo in | podman exec -i "$NAME" cat)" in
gives 3 podman exec "$NAME" sh -c 'exit 3'
gives 127 podman exec "$NAME" nothing-of-the-kind
eq "$(pty podman exec -it "$NAME" tty)" /dev/pts/0
podman exec -d "$NAME" touch /tmp/flag
again 'podman exec $NAME test -e /tmp/flag'
eq "$(podman exec --preserve-fds 1 "$NAME" cat /proc/self/fd/3 3<<<kept)" kept
podman rm -f -t 0 "$NAME" >/dev/null

#case limits
box -d --name "$NAME" -m 64m --cpus 0.5 --pids-limit 44 box sleep 60 >/dev/null
pid=$(podman inspect -f '{{.State.Pid}}' "$NAME")
at() { awk -F: -v c="$1" '$2 == c {print "/sys/fs/cgroup/" c $3}' "/proc/$pid/cgroup"; }
eq "$(cat "$(at memory)/memory.limit_in_bytes")" 67108864
eq "$(cat "$(at cpu)/cpu.cfs_quota_us")" 50000
eq "$(cat "$(at pids)/pids.max")" 44
podman update -m 96m "$NAME" >/dev/null 2>&1 && eq "$(cat "$(at memory)/memory.limit_in_bytes")" 100663296
podman rm -f -t 0 "$NAME" >/dev/null

#case stats-and-top
box -d --name "$NAME" -m 64m box sleep 60 >/dev/null
has "$(podman stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' "$NAME")" '67.11MB 1'
has "$(podman top "$NAME" args)" 'sleep 60'
podman rm -f -t 0 "$NAME" >/dev/null

#case security
eq "$(box --rm --cap-drop all --cap-add net_raw box grep CapBnd /proc/self/status | cut -f2)" 0000000000002000
eq "$(box --rm --security-opt no-new-privileges box grep NoNewPrivs /proc/self/status | cut -f2)" 1
eq "$(box --rm box grep -w Seccomp /proc/self/status | cut -f2)" 2
eq "$(box --rm --security-opt seccomp=unconfined box grep -w Seccomp /proc/self/status | cut -f2)" 0
gives 1 box --rm box sh -c 'echo 1 > /proc/sys/kernel/msgmax'

#case files
echo data >file
gives 1 box --rm --read-only box touch /file
gives 0 box --rm --read-only box touch /tmp/file
eq "$(box --rm -v "$WORK/file:/etc/file:ro" box cat /etc/file)" data
has "$(box --rm --tmpfs /t:size=4m box grep ' /t ' /proc/mounts)" size=4096k
eq "$(box --rm --mount "type=bind,src=$WORK,dst=/w,bind-propagation=rslave" box cat /w/file)" data
gives 0 box --rm --device /dev/loop-control box test -c /dev/loop-control

#case tmpfs-copies-up
has "$(box --rm --tmpfs /etc box ls /etc)" passwd

#case process
eq "$(podman run --rm --network none --cgroup-parent "$PARENT" --ulimit nofile=512:1024 --ulimit nproc=99:99 box sh -c 'ulimit -n')" 512
eq "$(box --rm -u 1234:5678 box sh -c 'id -u; id -g' | xargs)" '1234 5678'
eq "$(box --rm --sysctl net.ipv4.ip_forward=1 box cat /proc/sys/net/ipv4/ip_forward)" 1
eq "$(box --rm -h some-host box hostname)" some-host
eq "$(box --rm --umask 0077 box sh -c umask)" 0077
eq "$(box --rm --oom-score-adj 500 box cat /proc/self/oom_score_adj)" 500
eq "$(box --rm --group-add 10 -u 1 box id -G)" '1 10'

#case keep-groups
box --rm --group-add keep-groups box true || skip 'not with this runtime'

#case namespaces-of-others
box -d --name "$NAME" box sleep 66 >/dev/null
has "$(box --rm --pid "container:$NAME" box ps)" 'sleep 66'
eq "$(podman run --rm --ulimit host --cgroup-parent "$PARENT" --network "container:$NAME" box readlink /proc/self/ns/net)" "$(podman exec "$NAME" readlink /proc/self/ns/net)"
eq "$(box --rm --ipc "container:$NAME" box readlink /proc/self/ns/ipc)" "$(podman exec "$NAME" readlink /proc/self/ns/ipc)"
podman rm -f -t 0 "$NAME" >/dev/null

#case namespaces-of-the-host
eq "$(box --rm --pid host --uts host --ipc host box sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/uts; readlink /proc/self/ns/ipc' | xargs)" \
    "$(readlink /proc/self/ns/pid; readlink /proc/self/ns/uts; readlink /proc/self/ns/ipc)" 2>/dev/null ||
eq "$(box --rm --pid host box readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"

#case user-namespace
eq "$(box --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 box cat /proc/self/uid_map | xargs)" '0 100000 65536'
eq "$(box --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 box sh -c 'id -u; touch /root/x && stat -c %u /root/x; mount -t tmpfs none /tmp 2>/dev/null || echo no' | xargs)" '0 0 no'

#case privileged
gives 0 box --rm --privileged box mount -t tmpfs none /tmp

#case init
test -x /usr/libexec/podman/catatonit || skip 'no catatonit'
has "$(box --rm --init box sh -c 'tr "\000" " " < /proc/1/cmdline')" init

#case rootfs
mkdir root
tar -C root -xf "$IMAGE"
eq "$(box --rm --rootfs "$WORK/root" /bin/echo hello)" hello

#case network
podman run --rm --ulimit host --cgroup-parent "$PARENT" --network bridge box true 2>why || skip "$(tail -n 1 why)"
podman run -d --name "$NAME" --ulimit host --cgroup-parent "$PARENT" -p 127.0.0.1:18080:80 box httpd -f -p 80 -h /etc >/dev/null
soon busybox wget -qO- http://127.0.0.1:18080/hostname
podman rm -f -t 0 "$NAME" >/dev/null

#case network-host
eq "$(podman run --rm --ulimit host --cgroup-parent "$PARENT" --network host box readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"

#case health
box -d --name "$NAME" --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 box sleep 60 >/dev/null
gives 1 podman healthcheck run "$NAME"
podman exec "$NAME" touch /tmp/well
gives 0 podman healthcheck run "$NAME"
podman rm -f -t 0 "$NAME" >/dev/null

#case pod
podman pod create --name "$NAME-pod" --infra-image localhost/box --infra-command '/bin/sleep 60' --network none --cgroup-parent "$PARENT" >/dev/null
podman run -d --pod "$NAME-pod" --name "$NAME-1" --ulimit host box sleep 67 >/dev/null
eq "$(podman run --rm --pod "$NAME-pod" --ulimit host box readlink /proc/self/ns/net)" "$(podman exec "$NAME-1" readlink /proc/self/ns/net)"
podman pod pause "$NAME-pod" >/dev/null
podman pod unpause "$NAME-pod" >/dev/null
podman pod stop -t 1 "$NAME-pod" >/dev/null
podman pod rm -f "$NAME-pod" >/dev/null

#case kube
box -d --name "$NAME" box sleep 60 >/dev/null
podman generate kube "$NAME" >pod.yaml
podman rm -f -t 0 "$NAME" >/dev/null
podman play kube --network none pod.yaml >out 2>&1 || skip "$(tail -n 1 out)"
has "$(podman ps --format '{{.Names}}')" "$NAME-pod-$NAME"
podman play kube --down pod.yaml >/dev/null

#case restart
box -d --name "$NAME" --restart on-failure:2 box false >/dev/null
again '[ "$(podman inspect -f "{{.RestartCount}}" $NAME)" = 2 ]'
podman rm -f -t 0 "$NAME" >/dev/null

#case copy-and-commit
box --name "$NAME" box sh -c 'echo new > /new'
podman cp "$NAME:/new" .
eq "$(cat new)" new
podman commit -q "$NAME" "$NAME-made" >/dev/null
eq "$(box --rm "$NAME-made" cat /new)" new
podman rm "$NAME" >/dev/null

#case attach-and-logs
box --name "$NAME" box sh -c 'echo one; echo two >&2' >out 2>err
eq "$(cat out err | xargs)" 'one two'
eq "$(podman logs "$NAME" 2>&1 | sort | xargs)" 'one two'
podman rm "$NAME" >/dev/null

#case build
mkdir ctx
printf 'FROM localhost/box\nWORKDIR /work\nCOPY Dockerfile .\nRUN echo made > made && test -f Dockerfile\nRUN ["/bin/touch", "/exec-form"]\nCMD cat made\n' >ctx/Dockerfile
podman build --network none --ulimit nofile=512:1024 --isolation oci -q -t "$NAME-built" ctx >out 2>&1 || { cat out >&2; false; }
eq "$(box --rm "$NAME-built")" made

#case buildah-run
command -v buildah >/dev/null || skip 'no buildah'
b() { buildah --root "$BASE/store" --runroot "$BASE/run" --storage-driver overlay "$@"; }
c=$(b from --pull-never --ulimit nofile=512:1024 localhost/box)
eq "$(b run --isolation oci --runtime "$RUNTIME" --network none "$c" -- echo hello)" hello
gives 4 b run --isolation oci --runtime "$RUNTIME" --network none "$c" -- sh -c 'exit 4'
eq "$(pty buildah --root "$BASE/store" --runroot "$BASE/run" --storage-driver overlay run -t --isolation oci --runtime "$RUNTIME" --network none "$c" -- tty)" /dev/pts/0
b rm "$c" >/dev/null

#case buildah-bud
command -v buildah >/dev/null || skip 'no buildah'
mkdir ctx
printf 'FROM localhost/box\nRUN echo made > /made\nUSER 1\nRUN id -u > /tmp/who\n' >ctx/Dockerfile
buildah --root "$BASE/store" --runroot "$BASE/run" --storage-driver overlay bud --isolation oci --runtime "$RUNTIME" --network none \
    --ulimit nofile=512:1024 -q -t "$NAME-bud" ctx >out 2>&1 || { cat out >&2; false; }
eq "$(box --rm "$NAME-bud" cat /made /tmp/who | xargs)" 'made 1'

#case parallel
for n in 1 2 3 4 5 6 7 8; do box --rm box echo "$n" >"out.$n" & done
wait
eq "$(cat out.* | sort -n | xargs)" '1 2 3 4 5 6 7 8'
