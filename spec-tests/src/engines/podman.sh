#lib
# Podman 5 has lost the network's plugins of before, which Debian 12 has.
case $(command podman --version) in
*" "[1-4].*) export BACKEND=cni ;;
*) export BACKEND=netavark ;;
esac
# Podman 5 warns of v1 in the midst of a container's words.
export PODMAN_IGNORE_CGROUPSV1_WARNING=1
podman() {
    command podman --root "$BASE/store" --runroot "$BASE/run" --tmpdir "$BASE/tmp" --storage-driver overlay --cgroup-manager cgroupfs \
        --events-backend file --network-config-dir "$BASE/net" --network-backend "$BACKEND" --runtime "$RUNTIME" "$@"
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
podman build --network none --ulimit nofile=512:1024 --ulimit nproc=99:99 --isolation oci -q -t "$NAME-built" ctx >out 2>&1 || { cat out >&2; false; }
eq "$(box --rm "$NAME-built")" made

#case buildah-run
command -v buildah >/dev/null || skip 'no buildah'
b() { buildah --root "$BASE/store" --runroot "$BASE/run" --storage-driver overlay "$@"; }
c=$(b from --pull-never --ulimit nofile=512:1024 --ulimit nproc=99:99 localhost/box)
eq "$(b run --isolation oci --runtime "$RUNTIME" --network none "$c" -- echo hello)" hello
gives 4 b run --isolation oci --runtime "$RUNTIME" --network none "$c" -- sh -c 'exit 4'
eq "$(pty buildah --root "$BASE/store" --runroot "$BASE/run" --storage-driver overlay run -t --isolation oci --runtime "$RUNTIME" --network none "$c" -- tty)" /dev/pts/0
b rm "$c" >/dev/null

#case buildah-bud
command -v buildah >/dev/null || skip 'no buildah'
mkdir ctx
printf 'FROM localhost/box\nRUN echo made > /made\nUSER 1\nRUN id -u > /tmp/who\n' >ctx/Dockerfile
buildah --root "$BASE/store" --runroot "$BASE/run" --storage-driver overlay bud --isolation oci --runtime "$RUNTIME" --network none \
    --ulimit nofile=512:1024 --ulimit nproc=99:99 -q -t "$NAME-bud" ctx >out 2>&1 || { cat out >&2; false; }
eq "$(box --rm "$NAME-bud" cat /made /tmp/who | xargs)" 'made 1'

#case parallel
for n in 1 2 3 4 5 6 7 8; do box --rm box echo "$n" >"out.$n" & done
wait
eq "$(cat out.* | sort -n | xargs)" '1 2 3 4 5 6 7 8'

#case propagation
mkdir -p src
mount -t tmpfs none src
mount --make-shared src
for mode in private rprivate slave rslave shared rshared; do
    (
        box -d --name "$NAME-$mode" --cap-add sys_admin --security-opt seccomp=unconfined -v "$WORK/src:/v:$mode" box sh -c "mkdir -p /v/in-$mode /v/out-$mode; sleep 60" >/dev/null
        soon test -d "src/out-$mode"
        podman exec "$NAME-$mode" sh -c "mount -t tmpfs in /v/in-$mode; touch /v/in-$mode/file"
        mount -t tmpfs out "src/out-$mode"
        touch "src/out-$mode/file"
        inward=no outward=no
        podman exec "$NAME-$mode" test -e "/v/out-$mode/file" && inward=yes
        test -e "src/in-$mode/file" && outward=yes
        case $mode in
            *private) eq "$inward $outward" "no no" ;;
            *slave) eq "$inward $outward" "yes no" ;;
            *shared) eq "$inward $outward" "yes yes" ;;
        esac
        podman rm -f -t 0 "$NAME-$mode" >/dev/null
        touch "well-$mode"
    ) &
done
wait
eq "$(ls -d well-* | wc -l)" 6
umount -R src

#case kube-file
cat >pod.yaml <<YAML
apiVersion: v1
kind: Pod
metadata: {name: $NAME}
spec:
  volumes:
    - {name: data, hostPath: {path: $WORK, type: Directory}}
  containers:
    - name: web
      image: localhost/box
      command: ["/bin/sh", "-c"]
      args: ["echo \$WHO > /data/said; id -u >> /data/said; sleep 60"]
      env: [{name: WHO, value: kube}]
      securityContext: {runAsUser: 1234, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      resources: {limits: {memory: 64Mi}}
      volumeMounts: [{name: data, mountPath: /data}]
      livenessProbe: {exec: {command: ["/bin/true"]}, periodSeconds: 60}
    - name: side
      image: localhost/box
      command: ["/bin/sleep", "60"]
YAML
chmod 777 .
podman play kube --network none pod.yaml >out 2>&1 || skip "$(tail -n 1 out)"
soon test -s said
eq "$(xargs <said)" 'kube 1234'
gives 1 podman exec "$NAME-web" touch /file
eq "$(podman exec "$NAME-web" readlink /proc/self/ns/net)" "$(podman exec "$NAME-side" readlink /proc/self/ns/net)"
eq "$(podman exec "$NAME-web" grep CapEff /proc/self/status | cut -f2)" 0000000000000000
pid=$(podman inspect -f '{{.State.Pid}}' "$NAME-web")
eq "$(cat "/sys/fs/cgroup/memory$(awk -F: '$2 == "memory" {print $3}' "/proc/$pid/cgroup")/memory.limit_in_bytes")" 67108864
podman play kube --down pod.yaml >/dev/null

#case pod-shares-all
podman pod create --name "$NAME-pod" --infra-image localhost/box --infra-command '/bin/sleep 60' --network none --share pid,ipc,uts,net --cgroup-parent "$PARENT" >/dev/null
podman run -d --pod "$NAME-pod" --name "$NAME-1" --ulimit host box sleep 67.7 >/dev/null
has "$(podman run --rm --pod "$NAME-pod" --ulimit host box ps)" 'sleep 67.7'
podman pod kill "$NAME-pod" >/dev/null
podman pod start "$NAME-pod" >/dev/null
eq "$(podman exec "$NAME-1" echo again)" again
podman pod rm -f "$NAME-pod" >/dev/null

#case ready-by-notify
# A socket as systemd has it, and what comes over it.
python3 - "$WORK/socket" >heard <<'PY' &
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
s.settimeout(15)
heard = b""
while b"READY=1" not in heard:
    heard += s.recv(4096) + b"\n"
print(heard.decode())
PY
soon test -S socket
NOTIFY_SOCKET=$WORK/socket box -d --name "$NAME" --sdnotify conmon box sleep 60 >/dev/null
wait
grep -q READY=1 heard
podman rm -f -t 0 "$NAME" >/dev/null

#case without-cgroups
# Podman asks for it only of runtimes that are said to have it.
printf '[engine]\nruntime_supports_nocgroup = ["%s"]\n' "$(basename "$RUNTIME")" >containers.conf
eq "$(CONTAINERS_CONF=$PWD/containers.conf podman run --rm --ulimit host --network none --cgroups disabled box echo hello 2>&1)" hello
box -d --name "$NAME" --cgroups no-conmon box sleep 60 >/dev/null
eq "$(podman exec "$NAME" echo hello)" hello
podman rm -f -t 0 "$NAME" >/dev/null

#case exec-privileged
box -d --name "$NAME" box sleep 60 >/dev/null
eq "$(podman exec "$NAME" grep CapEff /proc/self/status | cut -f2)" 00000000800405fb
caps=$(podman exec --privileged "$NAME" grep CapEff /proc/self/status | cut -f2)
eq $((0x$caps >> 21 & 1)) 1
eq "$(podman exec -e B=2 "$NAME" sh -c 'echo $B')" 2
podman rm -f -t 0 "$NAME" >/dev/null

#case init-and-signals
test -x /usr/libexec/podman/catatonit || skip 'no catatonit'
box -d --name "$NAME" --init --stop-signal INT box sh -c 'trap "exit 8" INT; while :; do sleep 0.1; done' >/dev/null
sleep 0.3
podman stop -t 5 "$NAME" >/dev/null
eq "$(podman wait "$NAME")" 8
podman rm "$NAME" >/dev/null

#case attach
box -di --name "$NAME" box sh -c 'read line; echo "got $line"; sleep 0.5; exit 4' >/dev/null
eq "$( (echo word; sleep 1) | podman attach "$NAME")" 'got word'
eq "$(podman wait "$NAME")" 4
podman rm "$NAME" >/dev/null

#case diff-and-mount
box --name "$NAME" box sh -c 'echo new > /new'
has "$(podman diff "$NAME")" 'A /new'
eq "$(cat "$(podman mount "$NAME")/new")" new
podman umount "$NAME" >/dev/null
podman rm "$NAME" >/dev/null

#case buildah-run-options
command -v buildah >/dev/null || skip 'no buildah'
b() { buildah --root "$BASE/store" --runroot "$BASE/run" --storage-driver overlay "$@"; }
c=$(b from --pull-never --ulimit nofile=512:1024 --ulimit nproc=99:99 localhost/box)
r() { b run --isolation oci --runtime "$RUNTIME" --network none "$@"; }
echo data >file
eq "$(r --user 1:1 --workingdir /tmp --env A=1 "$c" -- sh -c 'id -u; pwd; echo $A' | xargs)" '1 /tmp 1'
eq "$(r -v "$WORK/file:/file:ro" "$c" -- cat /file)" data
eq "$(r --mount "type=bind,src=$WORK,dst=/w" "$c" -- cat /w/file)" data
eq "$(r --hostname some-host "$c" -- hostname)" some-host
eq "$(r --cap-add CAP_NET_RAW "$c" -- grep CapBnd /proc/self/status | cut -f2)" 00000000800425fb
eq "$(echo in | r "$c" -- cat)" in
gives 1 r "$c" -- nothing-of-the-kind
has "$said" 'executable file'
b commit -q "$c" "$NAME-made" >/dev/null
b rm "$c" >/dev/null
