# Records processes that pin memory in containers and services, for the pictures of docs/tour.md. The recording goes to /out.

# Starts a command in the background in a cgroup.
inside() {
	folder=/sys/fs/cgroup/$1
	shift
	mkdir -p "$folder"
	(echo 0 >"$folder/cgroup.procs" && exec "$@") >/dev/null 2>&1 &
}

docker=system.slice/docker-4f1c7a90d2b3e8561f0a9c8b7d6e5f40312233445566778899aabbccddeeff00.scope
pod=kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod6b1d0c5e_53a4_4b8f_9f0e_2d7c8a915e37.slice
capture=$pod/cri-containerd-a07d3c11e5f2489b6c80d1e2f3a4b5c6d7e8f90112233445566778899aabbcc0.scope
render=$pod/cri-containerd-c39e8b24f6013a7d5e91f2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7.scope
ln -s /usr/local/bin/pinload /usr/local/bin/model-loader
ln -s /usr/local/bin/pinload /usr/local/bin/kv-store
ln -s /usr/local/bin/pinload /usr/local/bin/vm-snapshot

# Pins that are older than the recording.
inside $docker pinload io-uring --name db-cache --pages 4096 --buffers 16 --hold 5m
sleep 2

pintrace record -o /out/demo.pintrace --duration 60s 2>/out/record.txt &
recorder=$!
while [ ! -s /out/demo.pintrace ] && kill -0 $recorder 2>/dev/null; do
	sleep 0.5
done
sleep 2
inside $capture pinload af-xdp --name packet-pump --pages 512 --hold 40s
inside system.slice/journal.service pinload direct-write --name db-journal --pages 256 --block 4096 --hold 40s --file /mnt/journal
sleep 3
inside $render pinload udmabuf --name gpu-share --pages 1024 --hold 40s
inside system.slice/backup.service sh -c 'for turn in 1 2 3 4; do pinload direct-read --name backup --pages 2048 --block 1048576 --hold 1s --file /mnt/backup.$turn; sleep 4; done'
sleep 4
inside $docker pinload io-uring --name forker --pages 64 --change fork-write --hold 30s
sleep 3
inside system.slice/kv-store.service kv-store scenario read-pin-write
inside system.slice/vm-snapshot.service vm-snapshot scenario uffd-wp-writers
inside system.slice/forgetful.service pinload io-uring --name forgetful --pages 64 --change munmap --hold 30s
sleep 2
inside user.slice kv-store refused memlock
inside $render sh -c 'sleep 60 | model-loader slow-registration --pages 1800 --delay 10ms'
wait $recorder
cat /out/record.txt
