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

#case attach
docker run -di --name "$NAME" box sh -c 'read line; echo "got $line"; sleep 0.5; exit 4' >/dev/null
code=0; out=$( (echo word; sleep 1) | docker attach "$NAME") || code=$?
eq "$out $code" 'got word 4'
docker rm "$NAME" >/dev/null

#case attach-signals
docker run -d --name "$NAME" box sh -c 'trap "exit 6" INT; while :; do echo tick; sleep 0.1; done' >/dev/null
# A shell's background jobs ignore SIGINT.
python3 -c 'import signal, os, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execvp(sys.argv[1], sys.argv[1:])' docker attach "$NAME" >out &
pid=$!
# It passes signals on once it is attached.
soon grep -q tick out
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

#case stdin-closes
eq "$(printf 'a\nb\n' | docker run --rm -i box sh -c 'wc -l')" 2
eq "$(docker run --rm box sh -c 'cat; echo end')" end
eq "$(docker run --rm -i box sh -c 'cat; echo end' </dev/null)" end

#case live-restore
# A daemon of this case alone: it is killed, and the next one finds the container.
daemon() {
    take
    setsid unshare --net dockerd --data-root "$WORK/data" --exec-root "$WORK/exec" -H "unix://$WORK/sock" -p "$WORK/pid" --bridge none --iptables=false \
        --ip6tables=false --live-restore "${TAKEN[@]}" --storage-driver vfs >>"$WORK/log" 2>&1 &
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
