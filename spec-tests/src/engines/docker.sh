#begin
start_docker

#end
stop_docker

#case run
eq "$(docker run --rm box echo hello)" hello
eq "$(echo in | docker run --rm -i box cat)" in
eq "$(docker run --rm box sh -c 'echo out; echo err >&2' 2>/dev/null)" out

#case run-leaves-nothing
docker run --rm --name "$NAME" box true
gives 1 docker inspect "$NAME"
id=$(docker run -d --name "$NAME" box sleep 60)
soon test -d "/sys/fs/cgroup/pids$PARENT/$id" || test -d "/sys/fs/cgroup/unified$PARENT/$id"
docker rm -f "$NAME" >/dev/null
test ! -e "/sys/fs/cgroup/pids$PARENT/$id"
test ! -e "/sys/fs/cgroup/memory$PARENT/$id"
test ! -e "$BASE/exec/runtime-runc/moby/$id"

#case run-terminal
eq "$(pty docker run --rm -it box sh -c 'test -t 0 && test -t 1 && test -t 2 && tty')" /dev/pts/0
out=$(pty docker run --rm -it box sh -c 'echo one; exit 7') || eq $? 7
eq "$out" one

#case run-terminal-size
eq "$(pty sh -c 'stty rows 33 cols 97; docker run --rm -it box sh -c "sleep 0.5; stty size"')" '33 97'

#case run-terminal-typed
eq "$( (sleep 1; echo 'echo $((6*7)); exit'; sleep 1) | script -qefc "docker run --rm -it box sh" /dev/null | tr -d '\r' | grep -cx 42)" 1

#case run-detached-terminal
docker run -dt --name "$NAME" box sh -c 'test -t 1 && echo tty; sleep 60' >/dev/null
soon sh -c 'docker logs "$NAME" | grep -q tty'
docker rm -f "$NAME" >/dev/null

#case detached-logs
docker run -d --name "$NAME" box sh -c 'echo one; echo two >&2; sleep 60' >/dev/null
soon sh -c '[ "$(docker logs "$NAME" 2>&1 | wc -l)" = 2 ]'
eq "$(docker logs "$NAME" 2>/dev/null)" one
eq "$(docker logs "$NAME" 2>&1 >/dev/null)" two
eq "$(docker inspect -f '{{.State.Status}}' "$NAME")" running
docker rm -f "$NAME" >/dev/null

#case much-output
eq "$(docker run --rm box sh -c 'dd if=/dev/zero bs=65536 count=64 2>/dev/null | tr "\000" x | fold -w 1023' | wc -c)" 4198404

#case exit-code
gives 0 docker run --rm box true
gives 1 docker run --rm box false
gives 42 docker run --rm box sh -c 'exit 42'

#case exit-code-killed
docker run -d --name "$NAME" box sleep 60 >/dev/null
docker kill "$NAME" >/dev/null
eq "$(docker wait "$NAME")" 137
docker rm "$NAME" >/dev/null

#case missing-command
gives 127 docker run --rm box nothing-of-the-kind
has "$said" 'executable file not found'
gives 127 docker run --rm box /nothing/of/the/kind
has "$said" 'no such file or directory'
eq "$(docker ps -aq --filter name="$NAME")" ""

#case not-executable
gives 126 docker run --rm box /etc/passwd
has "$said" 'ermission denied'
gives 126 docker run --rm box /etc
gives 126 docker run --rm -v "$BASE:/b" box /b/not-executable

#case missing-workdir-is-made
eq "$(docker run --rm -w /some/where box pwd)" /some/where

#case bad-workdir
gives 126 docker run --rm -w /etc/passwd box pwd || gives 125 docker run --rm -w /etc/passwd box pwd || gives 127 docker run --rm -w /etc/passwd box pwd
test -n "$said"

#case unknown-user
gives 125 docker run --rm -u nobody-of-the-kind box true || gives 126 docker run --rm -u nobody-of-the-kind box true

#case create-failed-leaves-nothing
gives 127 docker run --name "$NAME" box nothing-of-the-kind
id=$(docker inspect -f '{{.Id}}' "$NAME")
test ! -e "/sys/fs/cgroup/pids$PARENT/$id"
eq "$(docker inspect -f '{{.State.Status}}' "$NAME")" created
docker rm "$NAME" >/dev/null

#case exec
docker run -d --name "$NAME" -e A=1 -w /tmp box sleep 60 >/dev/null
eq "$(docker exec "$NAME" echo hello)" hello
eq "$(docker exec "$NAME" sh -c 'echo $A $PWD')" '1 /tmp'
eq "$(docker exec -e B=2 -w /etc "$NAME" sh -c 'echo $B $PWD')" '2 /etc'
eq "$(docker exec -u 1:1 "$NAME" id)" 'uid=1(daemon) gid=1(daemon) groups=1(daemon)'
eq "$(docker exec -u daemon "$NAME" id -u)" 1
eq "$(echo in | docker exec -i "$NAME" cat)" in
eq "$(docker exec "$NAME" cat /proc/1/comm)" sleep
gives 3 docker exec "$NAME" sh -c 'exit 3'
gives 137 docker exec "$NAME" sh -c 'kill -9 $$'
docker rm -f "$NAME" >/dev/null

#case exec-missing-command
docker run -d --name "$NAME" box sleep 60 >/dev/null
gives 127 docker exec "$NAME" nothing-of-the-kind || gives 126 docker exec "$NAME" nothing-of-the-kind
has "$said" 'executable file not found'
gives 126 docker exec "$NAME" /etc/passwd
has "$said" 'ermission denied'
docker rm -f "$NAME" >/dev/null

#case exec-terminal
docker run -d --name "$NAME" box sleep 60 >/dev/null
eq "$(pty docker exec -it "$NAME" sh -c 'test -t 0 && tty')" /dev/pts/0
eq "$(pty sh -c 'stty rows 21 cols 55; docker exec -it "$NAME" sh -c "sleep 0.5; stty size"')" '21 55'
pty docker exec -it "$NAME" sh -c 'exit 9' || eq $? 9
docker rm -f "$NAME" >/dev/null

#case exec-detached
docker run -d --name "$NAME" box sleep 60 >/dev/null
docker exec -d "$NAME" sh -c 'echo done > /tmp/flag'
soon docker exec "$NAME" test -s /tmp/flag
docker rm -f "$NAME" >/dev/null

#case exec-privileged
docker run -d --name "$NAME" box sleep 60 >/dev/null
eq "$(docker exec "$NAME" grep CapEff /proc/self/status | cut -f2)" 00000000a80425fb
caps=$(docker exec --privileged "$NAME" grep CapEff /proc/self/status | cut -f2)
eq $((0x$caps >> 21 & 1)) 1
docker rm -f "$NAME" >/dev/null

#case exec-many
docker run -d --name "$NAME" box sleep 60 >/dev/null
for n in 1 2 3 4 5 6 7 8; do
    docker exec "$NAME" sh -c "echo $n" >"out.$n" &
done
wait
eq "$(cat out.* | sort -n | xargs)" '1 2 3 4 5 6 7 8'
docker rm -f "$NAME" >/dev/null

#case exec-outlives-nothing
docker run -d --name "$NAME" box sh -c 'trap "exit 0" TERM; while :; do sleep 0.1; done' >/dev/null
docker exec "$NAME" sleep 60 &
soon sh -c 'docker top "$NAME" | grep -q "sleep 60"'
docker stop -t 5 "$NAME" >/dev/null
code=0; wait $! || code=$?
eq $code 137
eq "$(docker inspect -f '{{.State.ExitCode}}' "$NAME")" 0
docker rm "$NAME" >/dev/null

#case stop
docker run -d --name "$NAME" box sh -c 'trap "echo bye; exit 5" TERM; while :; do sleep 0.1; done' >/dev/null
sleep 0.3
docker stop -t 5 "$NAME" >/dev/null
eq "$(docker wait "$NAME")" 5
eq "$(docker logs "$NAME")" bye
docker start "$NAME" >/dev/null
eq "$(docker inspect -f '{{.State.Running}}' "$NAME")" true
docker restart -t 1 "$NAME" >/dev/null
docker rm -f "$NAME" >/dev/null

#case stop-kills-the-stubborn
docker run -d --name "$NAME" box sh -c 'trap "" TERM; while :; do sleep 0.1; done' >/dev/null
docker stop -t 1 "$NAME" >/dev/null
eq "$(docker inspect -f '{{.State.ExitCode}}' "$NAME")" 137
docker rm "$NAME" >/dev/null

#case kill-signal
docker run -d --name "$NAME" box sh -c 'trap "echo usr1" USR1; while :; do sleep 0.05; done' >/dev/null
sleep 0.3
docker kill -s USR1 "$NAME" >/dev/null
soon sh -c 'docker logs "$NAME" | grep -q usr1'
docker kill -s 10 "$NAME" >/dev/null
soon sh -c '[ "$(docker logs "$NAME" | grep -c usr1)" = 2 ]'
eq "$(docker inspect -f '{{.State.Running}}' "$NAME")" true
docker rm -f "$NAME" >/dev/null
gives 1 docker kill "$NAME"

#case stop-signal
docker run -d --name "$NAME" --stop-signal USR2 box sh -c 'trap "exit 8" USR2; while :; do sleep 0.05; done' >/dev/null
sleep 0.3
docker stop -t 5 "$NAME" >/dev/null
eq "$(docker wait "$NAME")" 8
docker rm "$NAME" >/dev/null

#case kill-with-children
docker run -d --name "$NAME" --pid host box sh -c 'sleep 61.7 & sleep 61.7 & wait' >/dev/null
soon sh -c '[ "$(docker top "$NAME" | grep -c "sleep 61.7")" -ge 2 ]'
pids=$(docker top "$NAME" -o pid | tail -n +2 | xargs)
docker rm -f "$NAME" >/dev/null
for pid in $pids; do soon sh -c "! kill -0 $pid"; done

#case pause
docker run -d --name "$NAME" box sh -c 'while :; do echo x >> /tmp/x; sleep 0.05; done' >/dev/null
docker pause "$NAME" >/dev/null
eq "$(docker inspect -f '{{.State.Status}}' "$NAME")" paused
gives 1 docker exec "$NAME" true
has "$said" 'paused'
pid=$(docker inspect -f '{{.State.Pid}}' "$NAME")
before=$(wc -c <"/proc/$pid/root/tmp/x"); sleep 0.4
eq "$(wc -c <"/proc/$pid/root/tmp/x")" "$before"
docker unpause "$NAME" >/dev/null
soon sh -c "[ \$(wc -c </proc/$pid/root/tmp/x) -gt $before ]"
docker pause "$NAME" >/dev/null
docker rm -f "$NAME" >/dev/null

#case stats
docker run -d --name "$NAME" -m 64m box sleep 60 >/dev/null
out=$(docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' "$NAME")
has "$out" '/ 64MiB'
eq "${out##* }" 1
docker rm -f "$NAME" >/dev/null

#case top
docker run -d --name "$NAME" box sh -c 'sleep 62 & wait' >/dev/null
soon sh -c 'docker top "$NAME" | grep -q "sleep 62"'
eq "$(docker top "$NAME" -o pid,comm | awk 'NR > 1 {print $2}' | sort | xargs)" 'sh sleep'
docker rm -f "$NAME" >/dev/null

#case update
docker run -d --name "$NAME" -m 64m --cpus 1 --pids-limit 50 box sleep 60 >/dev/null
docker update -m 96m --memory-swap 96m --cpus 0.5 --cpu-shares 512 --pids-limit 70 "$NAME" >/dev/null
id=$(docker inspect -f '{{.Id}}' "$NAME")
eq "$(cat "/sys/fs/cgroup/memory$PARENT/$id/memory.limit_in_bytes")" 100663296
eq "$(cat "/sys/fs/cgroup/cpu$PARENT/$id/cpu.cfs_quota_us")" 50000
eq "$(cat "/sys/fs/cgroup/cpu$PARENT/$id/cpu.shares")" 512
eq "$(cat "/sys/fs/cgroup/pids$PARENT/$id/pids.max")" 70
docker update --cpuset-cpus 0 "$NAME" >/dev/null
eq "$(docker exec "$NAME" grep Cpus_allowed_list /proc/self/status | cut -f2)" 0
docker rm -f "$NAME" >/dev/null

#case limits
docker run -d --name "$NAME" -m 48m --memory-swap 48m --memory-reservation 32m --cpus 0.25 --cpu-shares 256 --cpuset-cpus 0 --cpuset-mems 0 \
    --pids-limit 33 --blkio-weight 0 --oom-score-adj 500 --shm-size 2m box sleep 60 >/dev/null
id=$(docker inspect -f '{{.Id}}' "$NAME")
eq "$(cat "/sys/fs/cgroup/memory$PARENT/$id/memory.limit_in_bytes")" 50331648
eq "$(cat "/sys/fs/cgroup/memory$PARENT/$id/memory.soft_limit_in_bytes")" 33554432
eq "$(cat "/sys/fs/cgroup/cpu$PARENT/$id/cpu.cfs_quota_us")" 25000
eq "$(cat "/sys/fs/cgroup/cpu$PARENT/$id/cpu.shares")" 256
eq "$(cat "/sys/fs/cgroup/cpuset$PARENT/$id/cpuset.cpus")" 0
eq "$(cat "/sys/fs/cgroup/pids$PARENT/$id/pids.max")" 33
eq "$(docker exec "$NAME" cat /proc/1/oom_score_adj)" 500
eq "$(docker exec "$NAME" df -k /dev/shm | tail -n 1 | awk '{print $2}')" 2048
docker rm -f "$NAME" >/dev/null

#case small-memory
gives 0 docker run --rm -m 6m --memory-swap 6m box true

#case out-of-memory
# The daemon's shim begins to look after the start, and the event must come before the container's end.
gives 137 docker run --name "$NAME" -m 16m --memory-swap 16m box sh -c 'sleep 1; dd if=/dev/zero of=/dev/null bs=64M count=1; code=$?; sleep 1; exit $code'
eq "$(docker inspect -f '{{.State.OOMKilled}}' "$NAME")" true
docker rm "$NAME" >/dev/null

#case pids-limit
out=$(docker run --rm --pids-limit 5 box sh -c 'for n in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait' 2>&1) || true
has "$out" "can't fork"

#case cgroup-parent
docker run -d --name "$NAME" --cgroup-parent "$PARENT/$NAME" box sleep 60 >/dev/null
id=$(docker inspect -f '{{.Id}}' "$NAME")
test -d "/sys/fs/cgroup/memory$PARENT/$NAME/$id"
docker rm -f "$NAME" >/dev/null

#case cgroup-view
docker run --rm box sh -c 'cat /sys/fs/cgroup/memory/cgroup.procs' >seen
grep -qx 1 seen
gives 1 docker run --rm box sh -c 'echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes'
eq "$(docker run --rm --cgroupns private box sh -c 'grep memory /proc/self/cgroup | cut -d: -f3')" /

#case capabilities
eq "$(docker run --rm box grep CapEff /proc/self/status | cut -f2)" 00000000a80425fb
eq "$(docker run --rm --cap-drop all box grep CapEff /proc/self/status | cut -f2)" 0000000000000000
eq "$(docker run --rm --cap-drop all --cap-add net_raw box grep CapBnd /proc/self/status | cut -f2)" 0000000000002000
eq "$(docker run --rm --cap-add sys_admin box grep CapPrm /proc/self/status | cut -f2)" 00000000a82425fb
eq "$(docker run --rm -u 1 box grep CapEff /proc/self/status | cut -f2)" 0000000000000000
eq "$(docker run --rm box grep CapInh /proc/self/status | cut -f2)" 0000000000000000

#case capabilities-work
gives 0 docker run --rm --cap-add sys_admin box mount -t tmpfs none /tmp
gives 1 docker run --rm --cap-drop chown box chown 1:1 /etc/passwd

#case seccomp-default
eq "$(docker run --rm box grep -w Seccomp /proc/self/status | cut -f2)" 2
gives 1 docker run --rm box unshare -U true
eq "$(docker run --rm --security-opt seccomp=unconfined box grep -w Seccomp /proc/self/status | cut -f2)" 0

#case seccomp-profile
cat >profile.json <<'JSON'
{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
 "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 75},
              {"names": ["chmod", "fchmodat"], "action": "SCMP_ACT_KILL_PROCESS"}]}
JSON
gives 1 docker run --rm --security-opt seccomp=profile.json box mkdir /new
has "$said" 'Value too large'
gives 159 docker run --rm --security-opt seccomp=profile.json box sh -c 'chmod 700 /tmp; exit $?'

#case no-new-privileges
eq "$(docker run --rm --security-opt no-new-privileges box grep NoNewPrivs /proc/self/status | cut -f2)" 1
eq "$(docker run --rm box grep NoNewPrivs /proc/self/status | cut -f2)" 0
docker run -d --name "$NAME" --security-opt no-new-privileges box sleep 60 >/dev/null
eq "$(docker exec "$NAME" grep NoNewPrivs /proc/self/status | cut -f2)" 1
docker rm -f "$NAME" >/dev/null

#case masked-paths
gives 1 docker run --rm box sh -c 'echo 1 > /proc/sys/kernel/msgmax'
eq "$(docker run --rm box cat /proc/kcore | wc -c)" 0
gives 1 docker run --rm box sh -c 'echo x > /proc/sysrq-trigger'
eq "$(docker run --rm box ls /proc/acpi /sys/firmware 2>/dev/null | grep -v : | xargs)" ""
gives 0 docker run --rm --security-opt systempaths=unconfined --cap-add sys_admin box sh -c 'test -w /proc/sys/kernel/msgmax'

#case read-only
gives 1 docker run --rm --read-only box touch /file
has "$said" 'Read-only file system'
gives 0 docker run --rm --read-only --tmpfs /tmp box touch /tmp/file
gives 0 docker run --rm --read-only -v "$WORK:/w" box touch /w/file
test -e file
gives 0 docker run --rm --read-only box sh -c 'echo x > /dev/null; echo x > /dev/shm/x'

#case tmpfs
out=$(docker run --rm --tmpfs /t:rw,size=4m,mode=1770,noexec box sh -c 'grep " /t " /proc/mounts; stat -c %a /t')
has "$out" 'size=4096k'
has "$out" noexec
has "$out" 1770
out=$(docker run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=700 box sh -c 'grep " /t " /proc/mounts; stat -c %a /t')
has "$out" 'size=1024k'
has "$out" 700

#case volumes
echo data >file
mkdir -p dir/below
eq "$(docker run --rm -v "$WORK/file:/etc/file:ro" box cat /etc/file)" data
gives 1 docker run --rm -v "$WORK/file:/etc/file:ro" box sh -c 'echo x > /etc/file'
gives 0 docker run --rm -v "$WORK/dir:/a/b/c" box touch /a/b/c/below/new
test -e dir/below/new
docker volume create "$NAME" >/dev/null
docker run --rm -v "$NAME:/etc" box sh -c 'echo kept > /etc/kept; cat /etc/passwd' | grep -q root
eq "$(docker run --rm -v "$NAME:/v" box cat /v/kept)" kept
docker volume rm "$NAME" >/dev/null
gives 0 docker run --rm -v "$WORK/dir:/dir:ro" --mount "type=bind,src=$WORK/file,dst=/dir/below/file2" box true || true
gives 125 docker run --rm --mount "type=bind,src=$WORK/none,dst=/x" box true

#case volume-over-file-and-etc
gives 0 docker run --rm -v "$WORK:/etc" box true
eq "$(docker run --rm -v /dev/null:/etc/passwd box sh -c 'wc -c < /etc/passwd')" 0
eq "$(docker run --rm -v /:/host:ro box sh -c 'test -d /host/proc && echo yes')" yes
eq "$(docker run --rm -v /proc:/host/proc:ro -v /sys:/host/sys:ro box sh -c 'test -d /host/proc/1 && echo yes')" yes

#case volumes-from
docker run -d --name "$NAME" -v /shared box sh -c 'echo x > /shared/x; sleep 60' >/dev/null
soon docker exec "$NAME" test -s /shared/x
eq "$(docker run --rm --volumes-from "$NAME" box cat /shared/x)" x
docker rm -vf "$NAME" >/dev/null

#case propagation
mkdir -p src
mount -t tmpfs none src
mount --make-shared src
for mode in private rprivate slave rslave shared rshared; do
    docker run -d --name "$NAME-$mode" --cap-add sys_admin --security-opt seccomp=unconfined -v "$WORK/src:/v:$mode" box sh -c "mkdir -p /v/in-$mode /v/out-$mode; sleep 60" >/dev/null
    soon test -d "src/out-$mode"
    docker exec "$NAME-$mode" sh -c "mount -t tmpfs in /v/in-$mode; touch /v/in-$mode/file"
    mount -t tmpfs out "src/out-$mode"
    touch "src/out-$mode/file"
    inward=no outward=no
    docker exec "$NAME-$mode" test -e "/v/out-$mode/file" && inward=yes
    test -e "src/in-$mode/file" && outward=yes
    case $mode in
        *private) eq "$mode $inward $outward" "$mode no no" ;;
        *slave) eq "$mode $inward $outward" "$mode yes no" ;;
        *shared) eq "$mode $inward $outward" "$mode yes yes" ;;
    esac
done
for mode in private rprivate slave rslave shared rshared; do docker rm -f "$NAME-$mode" >/dev/null & done
wait
umount -R src

#case propagation-nonrecursive
mkdir -p src
mount -t tmpfs none src
mkdir src/below
mount -t tmpfs none src/below
touch src/below/file
eq "$(docker run --rm -v "$WORK/src:/v" box ls /v/below)" file
eq "$(docker run --rm --mount "type=bind,src=$WORK/src,dst=/v,bind-nonrecursive=true" box ls /v/below)" ""
gives 0 docker run --rm -v "$WORK/src:/v:ro" box ls /v/below
umount -R src

#case devices
gives 0 docker run --rm --device /dev/kmsg box test -c /dev/kmsg
gives 0 docker run --rm --device /dev/zero:/dev/nought:r box sh -c 'dd if=/dev/nought of=/dev/null count=1 2>/dev/null'
gives 0 docker run --rm --device /dev/loop-control:/dev/lc:rwm box test -c /dev/lc
gives 1 docker run --rm --cap-add mknod box sh -c 'mknod /tmp/k c 10 237 && exec 3</tmp/k'
has "$said" 'not permitted'
gives 0 docker run --rm --device-cgroup-rule 'c 10:237 rwm' box sh -c 'mknod /tmp/k c 10 237 && exec 3</tmp/k'
out=$(docker run --rm box sh -c 'ls /dev | xargs')
has "$out" 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero'
gives 0 docker run --rm box sh -c 'for d in null zero full random urandom tty; do test -c /dev/$d || exit 1; done; echo x >/dev/null'

#case sysctl
eq "$(docker run --rm --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=8193 box cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax | xargs)" '1 8193'
gives 125 docker run --rm --sysctl kernel.panic=1 box true || gives 126 docker run --rm --sysctl kernel.panic=1 box true
test -n "$said"

#case ulimit
eq "$(docker run --rm --ulimit nofile=512:1024 --ulimit core=0 box sh -c 'ulimit -n; ulimit -Hn; ulimit -c' | xargs)" '512 1024 0'

#case user
eq "$(docker run --rm -u 1234:5678 box sh -c 'id -u; id -g' | xargs)" '1234 5678'
eq "$(docker run --rm -u daemon box id -un)" daemon
eq "$(docker run --rm -u 1 --group-add 10 --group-add 77 box id -G)" '1 10 77'
eq "$(docker run --rm -u nobody box sh -c 'echo $HOME')" /home
eq "$(docker run --rm box sh -c 'echo $HOME')" /root
eq "$(docker run --rm box id -G)" '0 10'

#case hostname-and-hosts
eq "$(docker run --rm -h some-host --add-host far:10.9.8.7 box sh -c 'hostname; cat /etc/hostname; grep far /etc/hosts | xargs' | xargs)" 'some-host some-host 10.9.8.7 far'
eq "$(docker run --rm --domainname some.domain box cat /proc/sys/kernel/domainname)" some.domain

#case environment
eq "$(docker run --rm -e A=1 -e B='two words' --env-file <(echo C=3) box sh -c 'echo "$A $B $C"')" '1 two words 3'

#case labels-entrypoint
eq "$(docker run --rm --entrypoint /bin/echo box one two)" 'one two'

#case namespaces-of-others
docker run -d --name "$NAME" --ipc shareable box sh -c 'echo x > /dev/shm/x; sleep 63' >/dev/null
has "$(docker run --rm --pid "container:$NAME" box ps)" 'sleep 63'
eq "$(docker run --rm --ipc "container:$NAME" box cat /dev/shm/x)" x
eq "$(docker run --rm --network "container:$NAME" box hostname)" "$(docker exec "$NAME" hostname)"
eq "$(docker run --rm --network "container:$NAME" box readlink /proc/self/ns/net)" "$(docker exec "$NAME" readlink /proc/self/ns/net)"
docker rm -f "$NAME" >/dev/null

#case namespaces-of-the-host
eq "$(docker run --rm --pid host box readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"
eq "$(docker run --rm --network host box readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
eq "$(docker run --rm --ipc host box readlink /proc/self/ns/ipc)" "$(readlink /proc/self/ns/ipc)"
eq "$(docker run --rm --uts host box hostname)" "$(hostname)"

#case network-none
eq "$(docker run --rm --network none box ls /sys/class/net | grep -v -e ifb -e bonding | xargs)" lo

#case network-bridge
docker run -d --name "$NAME" box httpd -f -p 80 -h /etc >/dev/null
ip=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' "$NAME")
soon docker run --rm box wget -qO- "http://$ip/hostname"
eq "$(docker exec "$NAME" hostname -i)" "$ip"
docker rm -f "$NAME" >/dev/null

#case network-own
docker network create "$NAME" >/dev/null
docker run -d --name "$NAME" --network "$NAME" --network-alias far box httpd -f -p 80 -h /etc >/dev/null
soon docker run --rm --network "$NAME" box wget -qO- http://far/hostname
docker rm -f "$NAME" >/dev/null
docker network rm "$NAME" >/dev/null

#case network-connect
docker network create "$NAME" >/dev/null
docker run -d --name "$NAME" box sleep 60 >/dev/null
docker network connect "$NAME" "$NAME"
eq "$(docker exec "$NAME" sh -c 'ls -d /sys/class/net/eth*' | xargs)" '/sys/class/net/eth0 /sys/class/net/eth1'
docker network disconnect "$NAME" "$NAME"
docker rm -f "$NAME" >/dev/null
docker network rm "$NAME" >/dev/null

#case publish
docker run -d --name "$NAME" -p 127.0.0.1::80 box httpd -f -p 80 -h /etc >/dev/null
port=$(docker port "$NAME" 80 | sed 's/.*://')
soon busybox wget -qO- "http://127.0.0.1:$port/hostname"
docker rm -f "$NAME" >/dev/null

#case privileged
caps=$(docker run --rm --privileged box grep CapEff /proc/self/status | cut -f2)
eq $((0x$caps >> 21 & 1)) 1
gives 0 docker run --rm --privileged box mount -t tmpfs none /tmp
gives 0 docker run --rm --privileged box sh -c 'test -c /dev/loop-control && test -w /proc/sys/kernel/msgmax && mount -o remount,rw /sys'
eq "$(docker run --rm --privileged box grep -w Seccomp /proc/self/status | cut -f2)" 0

#case init
command -v docker-init tini tini-static >/dev/null || test -x /usr/libexec/docker/docker-init || skip 'no docker-init or tini'
docker run -d --name "$NAME" --init box sleep 64 >/dev/null
eq "$(docker exec "$NAME" ps | grep -c 'sleep 64')" 2
docker stop -t 5 "$NAME" >/dev/null
eq "$(docker wait "$NAME")" 143
docker rm "$NAME" >/dev/null

#case copy
docker run -d --name "$NAME" box sh -c 'mkdir /x; echo a > /x/a; sleep 60' >/dev/null
soon docker exec "$NAME" test -s /x/a
docker cp "$NAME:/x" . >/dev/null
eq "$(cat x/a)" a
echo b >b
docker cp b "$NAME:/x/b" >/dev/null
eq "$(docker exec "$NAME" cat /x/b)" b
docker rm -f "$NAME" >/dev/null

#case commit
docker run --name "$NAME" box sh -c 'echo new > /new'
docker commit "$NAME" "$NAME:made" >/dev/null
eq "$(docker run --rm "$NAME:made" cat /new)" new
eq "$(docker diff "$NAME")" 'A /new'
docker rm "$NAME" >/dev/null
docker rmi "$NAME:made" >/dev/null

#case export
docker create --name "$NAME" box true >/dev/null
docker export "$NAME" >all.tar
tar tf all.tar bin/busybox >/dev/null
docker rm "$NAME" >/dev/null

#case create-start-attach
docker create --name "$NAME" box sh -c 'echo hello; exit 4' >/dev/null
code=0; out=$(docker start -a "$NAME") || code=$?
eq "$out $code" 'hello 4'
code=0; out=$(docker start -a "$NAME") || code=$?
eq "$out $code" 'hello 4'
docker rm "$NAME" >/dev/null

#case restart-policy
docker run -d --name "$NAME" --restart on-failure:3 box false >/dev/null
soon sh -c '[ "$(docker inspect -f "{{.RestartCount}} {{.State.Status}}" "$NAME")" = "3 exited" ]'
docker rm "$NAME" >/dev/null
docker run -d --name "$NAME" --restart always box sh -c 'sleep 0.2; exit 0' >/dev/null
soon sh -c '[ "$(docker inspect -f "{{.RestartCount}}" "$NAME")" -ge 2 ]'
docker rm -f "$NAME" >/dev/null

#case restart-policy-bad-command
gives 127 docker run -d --name "$NAME" --restart always box nothing-of-the-kind
docker rm -f "$NAME" >/dev/null

#case healthcheck
docker run -d --name "$NAME" --health-cmd 'test -e /tmp/well' --health-interval 0.3s --health-retries 2 box sh -c 'touch /tmp/well; sleep 60' >/dev/null
soon sh -c '[ "$(docker inspect -f "{{.State.Health.Status}}" "$NAME")" = healthy ]'
docker exec "$NAME" rm /tmp/well
soon sh -c '[ "$(docker inspect -f "{{.State.Health.Status}}" "$NAME")" = unhealthy ]'
docker rm -f "$NAME" >/dev/null

#case events
since=$(date +%s)
docker run --rm --name "$NAME" box true
out=$(docker events --since "$since" --until "$(($(date +%s) + 1))" --filter "container=$NAME" --format '{{.Action}}' | xargs)
has "$out" 'create'
has "$out" 'start'
has "$out" 'die'

#case rename-and-ps
docker run -d --name "$NAME" box sleep 60 >/dev/null
docker rename "$NAME" "$NAME-2"
has "$(docker ps --format '{{.Names}} {{.Status}}' --filter "name=$NAME-2")" Up
docker rm -f "$NAME-2" >/dev/null

#case build
mkdir ctx
cat >ctx/Dockerfile <<'FILE'
FROM box
ARG WHO=nobody
WORKDIR /work
COPY Dockerfile .
RUN echo "made by $(id -u) for $WHO" > made && test -f Dockerfile
RUN ["/bin/touch", "/exec-form"]
USER 1
RUN id -u > /tmp/who
CMD cat made /tmp/who
FILE
DOCKER_BUILDKIT=0 docker build -q --build-arg WHO=me -t "$NAME:built" ctx >/dev/null 2>&1
eq "$(docker run --rm "$NAME:built" | xargs)" 'made by 0 for me 1'
docker rmi "$NAME:built" >/dev/null

#case build-fails
mkdir ctx
printf 'FROM box\nRUN exit 3\n' >ctx/Dockerfile
code=0; DOCKER_BUILDKIT=0 docker build -t "$NAME:built" ctx >out 2>&1 || code=$?
eq $code 3
has "$(cat out)" 'returned a non-zero code: 3'

#case parallel
for n in $(seq 20); do
    docker run --rm box echo "$n" >"out.$n" &
done
wait
eq "$(cat out.* | sort -n | xargs)" "$(seq 20 | xargs)"

#case churn
for n in 1 2 3 4 5; do
    docker run -d --name "$NAME" box sleep 60 >/dev/null
    docker exec "$NAME" true
    docker rm -f "$NAME" >/dev/null
done

#case terminal-kill
docker run -dt --name "$NAME" box sh >/dev/null
docker kill -s KILL "$NAME" >/dev/null
eq "$(docker wait "$NAME")" 137
docker rm "$NAME" >/dev/null

#case interrupt
script -qefc "docker run --rm -it --name $NAME box sh -c 'trap \"echo got; exit 6\" INT; echo ready; while :; do sleep 0.1; done'" log < <(
    for n in $(seq 100); do grep -q ready log 2>/dev/null && break; sleep 0.1; done; printf '\003'; sleep 2) >/dev/null || eq $? 6
grep -q got log

#case runtime-info
has "$(docker info --format '{{json .Runtimes}}')" tried
eq "$(docker info --format '{{.DefaultRuntime}}')" tried
hasnt "$(docker info 2>&1)" 'failed to retrieve runc version'

#case dev-shm-and-mqueue
out=$(docker run --rm box cat /proc/mounts)
has "$out" ' /dev/mqueue mqueue '
has "$out" ' /dev/shm tmpfs '
has "$out" ' /dev/pts devpts '
has "$out" ' /sys sysfs ro'

#case ipc-modes
eq "$(docker run --rm --ipc none box sh -c 'test -e /dev/shm && grep -c /dev/shm /proc/mounts || echo none')" "$(docker run --rm --runtime runc --ipc none box sh -c 'test -e /dev/shm && grep -c /dev/shm /proc/mounts || echo none')"

#case same-mounts-as-runc
docker run --rm --runtime runc -v "$WORK:/v:ro" --tmpfs /t box sh -c 'cut -d" " -f2-4 /proc/mounts' >want
docker run --rm --runtime tried -v "$WORK:/v:ro" --tmpfs /t box sh -c 'cut -d" " -f2-4 /proc/mounts' >got
# What hides a path is made in ways of its own; the directory above the hierarchies of v1 is "ro" in config.json.
hidden='^/(proc/(acpi|keys|kcore|timer_list|scsi|latency_stats|timer_stats|sched_debug)|sys/firmware|sys/devices/virtual/powercap|sys/fs/cgroup tmpfs)'
clean() { sed -e 's/[0-9a-f]\{64\}/ID/g' -e 's/[A-Z0-9]\{26\}/LAYER/g' -e 's/,lowerdir=.*//' "$1" | grep -vE "$hidden" | sort; }
diff <(clean want) <(clean got) >&2

#case same-status-as-runc
look='grep -v -E "ctxt|^Vm|^Tgid|^Sig[QI]|^Rss|^Speculation|Pid:|^Hugetlb|^Threads|^NSsid|^NSpgid|NStgid|NSpid" /proc/self/status; cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj /proc/self/timerslack_ns; umask; env | sort; ls /proc/self/fd | wc -l; ls -la /dev; readlink /proc/self/fd/0'
for r in runc tried; do
    docker run --rm -h same --runtime $r box sh -c "$look" | sed -e 's/[0-9a-f]\{64\}/ID/g' -e 's/pipe:.*/pipe/' -e 's/[A-Z][a-z][a-z] *[0-9]* [0-9:]*//' >$r
done
diff runc tried >&2

#case attach
docker run -di --name "$NAME" box sh -c 'read line; echo "got $line"; sleep 0.5; exit 4' >/dev/null
code=0; out=$( (echo word; sleep 1) | docker attach "$NAME") || code=$?
eq "$out $code" 'got word 4'
docker rm "$NAME" >/dev/null

#case attach-signals
docker run -d --name "$NAME" box sh -c 'trap "exit 6" INT; echo ready; while :; do sleep 0.1; done' >/dev/null
soon sh -c 'docker logs "$NAME" | grep -q ready'
# A shell's background jobs ignore SIGINT.
python3 -c 'import signal, os, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' docker attach "$NAME" &
pid=$!
sleep 0.5
kill -INT $pid
code=0; wait $pid || code=$?
eq $code 6
docker rm "$NAME" >/dev/null

#case restart-policy-stopped
docker run -d --name "$NAME" --restart unless-stopped box sh -c 'sleep 0.2; exit 3' >/dev/null
soon sh -c '[ "$(docker inspect -f "{{.RestartCount}}" "$NAME")" -ge 2 ]'
docker stop -t 1 "$NAME" >/dev/null
sleep 0.5
eq "$(docker inspect -f '{{.State.Running}}' "$NAME")" false
docker update --restart no "$NAME" >/dev/null
docker rm -f "$NAME" >/dev/null
docker run -d --name "$NAME" --restart always box sleep 60 >/dev/null
kill -KILL "$(docker inspect -f '{{.State.Pid}}' "$NAME")"
soon sh -c '[ "$(docker inspect -f "{{.RestartCount}} {{.State.Running}}" "$NAME")" = "1 true" ]'
docker rm -f "$NAME" >/dev/null

#case healthcheck-of-the-image
mkdir ctx
printf 'FROM box\nHEALTHCHECK --interval=300ms --retries=1 --timeout=1s CMD ["/bin/sh", "-c", "exit 3"]\nCMD sleep 60\n' >ctx/Dockerfile
DOCKER_BUILDKIT=0 docker build -q -t "$NAME:built" ctx >/dev/null 2>&1
docker run -d --name "$NAME" "$NAME:built" >/dev/null
soon sh -c '[ "$(docker inspect -f "{{.State.Health.Status}}" "$NAME")" = unhealthy ]'
eq "$(docker inspect -f '{{(index .State.Health.Log 0).ExitCode}}' "$NAME")" 3
docker rm -f "$NAME" >/dev/null
docker rmi "$NAME:built" >/dev/null

#case healthcheck-too-slow
docker run -d --name "$NAME" --health-cmd 'sleep 61.3' --health-interval 0.3s --health-timeout 0.5s --health-retries 1 box sleep 60 >/dev/null
soon sh -c '[ "$(docker inspect -f "{{.State.Health.Status}}" "$NAME")" = unhealthy ]'
docker rm -f "$NAME" >/dev/null
soon sh -c '! pgrep -fx "sleep 61.3"'

#case publish-on-the-bridge
docker run -d --name "$NAME" -p 172.31.77.1::80 box httpd -f -p 80 -h /etc >/dev/null
port=$(docker port "$NAME" 80 | sed 's/.*://')
soon busybox wget -qO- "http://172.31.77.1:$port/hostname"
eq "$(docker run --rm box wget -qO- "http://172.31.77.1:$port/hostname")" "$(docker exec "$NAME" hostname)"
docker rm -f "$NAME" >/dev/null

#case block-io
disk=$(awk '$4 ~ /^(vd|sd|nvme|xvd|loop)/ {print $1 ":" $2, "/dev/" $4; exit}' /proc/partitions)
[ -b "${disk#* }" ] || skip 'no block device'
id=$(docker run -d --name "$NAME" --device-read-bps "${disk#* }:1mb" --device-write-iops "${disk#* }:100" box sleep 60)
eq "$(cat "/sys/fs/cgroup/blkio$PARENT/$id/blkio.throttle.read_bps_device")" "${disk% *} 1048576"
eq "$(cat "/sys/fs/cgroup/blkio$PARENT/$id/blkio.throttle.write_iops_device")" "${disk% *} 100"
docker rm -f "$NAME" >/dev/null

#case memory-details
id=$(docker run -d --name "$NAME" -m 32m --memory-swap 64m --memory-swappiness 10 --oom-kill-disable box sleep 60)
at=/sys/fs/cgroup/memory$PARENT/$id
eq "$(cat "$at/memory.swappiness")" 10
eq "$(awk '$1 == "oom_kill_disable" {print $2}' "$at/memory.oom_control")" 1
[ ! -e "$at/memory.memsw.limit_in_bytes" ] || eq "$(cat "$at/memory.memsw.limit_in_bytes")" 67108864
docker rm -f "$NAME" >/dev/null

#case cgroup-namespace-of-the-host
has "$(docker run --rm --cgroupns host box cat /proc/self/cgroup)" "pids:$PARENT/"

#case all-of-the-host
docker run --rm --privileged --pid host --network host --ipc host --uts host --cgroupns host -v /:/host:rslave box \
    sh -c 'test -e /host/proc/1/root/etc/passwd && for n in pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done' >seen
eq "$(cat seen)" "$(for n in pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done)"

#case stdin-closes
eq "$(printf 'a\nb\n' | docker run --rm -i box sh -c 'wc -l')" 2
eq "$(docker run --rm box sh -c 'cat; echo end')" end
eq "$(docker run --rm -i box sh -c 'cat; echo end' </dev/null)" end

#case live-restore
# A daemon of this case alone: it is killed, and the next one finds the container.
daemon() {
    setsid unshare --net dockerd --data-root "$WORK/data" --exec-root "$WORK/exec" -H "unix://$WORK/sock" -p "$WORK/pid" --bridge none --iptables=false \
        --ip6tables=false --live-restore --add-runtime "tried=$RUNTIME" --default-runtime tried --cgroup-parent "$PARENT" --storage-driver vfs >>"$WORK/log" 2>&1 &
    export DOCKER_HOST=unix://$WORK/sock
    soon docker version || { tail -n 3 "$WORK/log" >&2; return 1; }
}
daemon
docker import -c 'ENV PATH=/bin' "$IMAGE" box >/dev/null
docker run -d --name "$NAME" --network none box sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done' >/dev/null
process=$(docker inspect -f '{{.State.Pid}}' "$NAME")
kill -KILL "$(cat pid)" "$(cat exec/containerd/containerd.pid)"
sleep 0.3
kill -0 "$process"
rm -f pid
daemon
eq "$(docker inspect -f '{{.State.Pid}} {{.State.Running}}' "$NAME")" "$process true"
eq "$(docker exec "$NAME" echo hello)" hello
docker stop -t 5 "$NAME" >/dev/null
eq "$(docker wait "$NAME")" 5
docker rm "$NAME" >/dev/null
kill "$(cat pid)"
soon test ! -e pid
