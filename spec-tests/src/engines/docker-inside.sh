# What a container sees and may do.

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
hidden='^/(proc/(acpi|keys|kcore|timer_list|scsi|latency_stats|timer_stats|sched_debug|interrupts)|sys/firmware|sys/devices/system/cpu/cpu[0-9]+/thermal_throttle|sys/devices/virtual/powercap|sys/fs/cgroup tmpfs)'
clean() { sed -e 's/[0-9a-f]\{64\}/ID/g' -e 's/[A-Z0-9]\{26\}/LAYER/g' -e 's/,lowerdir=.*//' "$1" | grep -vE "$hidden" | sort; }
diff <(clean want) <(clean got) >&2

#case same-status-as-runc
look='grep -v -E "ctxt|^Vm|^Tgid|^Sig[QI]|^Rss|^Speculation|Pid:|^Hugetlb|^Threads|^NSsid|^NSpgid|NStgid|NSpid" /proc/self/status; cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj /proc/self/timerslack_ns; umask; env | sort; ls /proc/self/fd | wc -l; ls -la /dev; readlink /proc/self/fd/0'
for r in runc tried; do
    docker run --rm -h same --runtime $r box sh -c "$look" | sed -e 's/[0-9a-f]\{64\}/ID/g' -e 's/pipe:.*/pipe/' -e 's/[A-Z][a-z][a-z] *[0-9]* [0-9:]*//' >$r
done
diff runc tried >&2

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
