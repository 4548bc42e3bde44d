# Workloads for the demo, each in its own rhythm.
echo 64 >/proc/sys/vm/nr_hugepages
every() {
	pause=$1
	shift
	while :; do
		"$@" >/dev/null 2>&1
		sleep "$pause"
	done &
}
every 1 pinload io-uring --pages 4096 --hold 20s
every 2 pinload io-uring --pages 2048 --backing hugetlb --hold 12s --release kill
every 2 pinload af-xdp --pages 1024 --hold 9s --release close
every 3 pinload udmabuf --pages 512 --hold 15s
every 1 pinload process-vm --pages 512
every 1 pinload direct-write --pages 256
every 2 fio --name=fio --filename=/mnt/fio --size=32M --bs=64k --rw=randread --direct=1 --ioengine=io_uring \
	--iodepth=8 --fixedbufs=1 --time_based --runtime=10
pintrace top
