#begin
echo daemon:300000:65536 >subids
mount --bind subids /etc/subuid
mount --bind subids /etc/subgid
# The remapped root enters the daemon's directory by way of those above it.
start_docker --userns-remap daemon:daemon

#end
stop_docker

#case run
eq "$(docker run --rm box cat /proc/self/uid_map | xargs)" '0 300000 65536'
eq "$(docker run --rm box sh -c 'id -u; echo x > /etc/new && stat -c %u /etc/new' | xargs)" '0 0'

#case terminal
eq "$(pty docker run --rm -it box sh -c 'test -t 0 && tty && stat -c %u:%g "$(tty)"' | xargs)" '/dev/pts/0 0:5'

#case exec
docker run -d --name "$NAME" box sleep 60 >/dev/null
pid=$(docker inspect -f '{{.State.Pid}}' "$NAME")
eq "$(stat -c %u "/proc/$pid")" 300000
eq "$(docker exec "$NAME" id -u)" 0
eq "$(docker exec -u daemon "$NAME" id -u)" 1
eq "$(pty docker exec -it "$NAME" tty)" /dev/pts/0
gives 127 docker exec "$NAME" nothing-of-the-kind || gives 126 docker exec "$NAME" nothing-of-the-kind
docker pause "$NAME" >/dev/null
docker unpause "$NAME" >/dev/null
docker rm -f "$NAME" >/dev/null

#case stop
docker run -d --name "$NAME" box sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done' >/dev/null
sleep 0.3
docker stop -t 5 "$NAME" >/dev/null
eq "$(docker wait "$NAME")" 5
docker rm "$NAME" >/dev/null

#case devices
docker run --rm box sh -c 'for d in null zero full random urandom tty; do test -c /dev/$d || exit 1; done; echo x >/dev/null'
gives 1 docker run --rm box mknod /tmp/x c 1 3

#case volumes
mkdir own foreign
chown 300000:300000 own
chmod 700 own foreign
docker run --rm -v "$WORK/own:/v" box touch /v/file
eq "$(stat -c %u own/file)" 300000
gives 1 docker run --rm -v "$WORK/foreign:/v" box touch /v/file
gives 0 docker run --rm -v "$WORK/own:/v:ro" --tmpfs /t --read-only box true

#case limits
docker run -d --name "$NAME" -m 48m --cpus 0.25 --pids-limit 33 box sleep 60 >/dev/null
id=$(docker inspect -f '{{.Id}}' "$NAME")
eq "$(cat "/sys/fs/cgroup/memory$PARENT/$id/memory.limit_in_bytes")" 50331648
docker rm -f "$NAME" >/dev/null

#case network
docker run -d --name "$NAME" -p 127.0.0.1::80 --sysctl net.ipv4.ip_forward=1 box httpd -f -p 80 -h /etc >/dev/null
port=$(docker port "$NAME" 80 | sed 's/.*://')
soon busybox wget -qO- "http://127.0.0.1:$port/hostname"
eq "$(docker run --rm --network "container:$NAME" box cat /proc/sys/net/ipv4/ip_forward)" 1
docker rm -f "$NAME" >/dev/null

#case namespaces-of-the-host
eq "$(docker run --rm --userns host --pid host box readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"
eq "$(docker run --rm --userns host --network host box readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
docker run -d --name "$NAME" box sleep 63 >/dev/null
has "$(docker run --rm --pid "container:$NAME" box ps)" 'sleep 63'
docker rm -f "$NAME" >/dev/null

#case host-network-in-a-user-namespace
gives 0 docker run --rm --userns host --network host --read-only box true

#case build
mkdir ctx
printf 'FROM box\nRUN id -u > /made\n' >ctx/Dockerfile
DOCKER_BUILDKIT=0 docker build -q -t "$NAME:built" ctx >/dev/null 2>&1
eq "$(docker run --rm "$NAME:built" cat /made)" 0
docker rmi "$NAME:built" >/dev/null

#case parallel
# The daemon's own hook opens the network namespace of the process that it is told of.
for round in 1 2 3; do
    for n in $(seq 6); do docker run --rm box echo "$n" >"out.$n" & done
    wait
    eq "$(cat out.* | sort -n | xargs)" "$(seq 6 | xargs)"
done
