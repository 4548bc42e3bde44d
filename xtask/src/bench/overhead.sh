# Runs each workload without pintrace, under each kind of pintrace session, and under a script for bpftrace. null_blk
# completes each request inside the submission, so the rates do not depend on the host. RUNS is set before this line.
set -e
fio_rate() { # options
	# The eighth field of the terse output is the rate of reads.
	fio --name=bench --filename=/dev/nullb0 --size=80M --bs=4k --rw=randread --direct=1 --ioengine=io_uring "$@" \
		--minimal | cut -d';' -f8
}
fio_sample() { # variant, name, options
	variant=$1
	name=$2
	shift 2
	printf 'sample\t%s\t{"workload":"fio randread, %s","per_second":%s}\n' "$variant" "$name" "$(fio_rate "$@")"
}
bystanders() { # variant
	for operation in anonymous-fault cow-fault map-touch-unmap discard-touch protect-pair system-call; do
		printf 'sample\t%s\t%s\n' "$1" "$(pinload bench $operation)"
	done
	# Forks differ by a tenth from one to the next.
	printf 'sample\t%s\t%s\n' "$1" "$(pinload bench fork --operations 1000)"
}
if [ "$1" = measure ]; then
	for number in $(seq "$RUNS"); do
		fio_sample "$2" 'iodepth 1' --iodepth=1
		fio_sample "$2" 'iodepth 32' --iodepth=32
		# One system call submits 32 requests, so a request costs less, and a hook costs relatively more.
		fio_sample "$2" 'iodepth 32, batches of 32' --iodepth=32 --iodepth_batch=32 --iodepth_batch_complete_min=32
		printf 'sample\t%s\t%s\n' "$2" "$(pinload bench register-buffers)"
		bystanders "$2"
	done
	exit
fi
wait_for() { # text, file
	waited=0
	until grep -q "$1" "$2"; do
		[ $waited -lt 3000 ] || { echo "not ready after 5 minutes:"; cat "$2"; exit 1; }
		waited=$((waited + 1))
		sleep 0.1
	done
}
printf 'kernel\t%s\n' "$(uname -r)"
# The module is loaded already, without these parameters.
rmmod null_blk
insmod /etc/guest/modules.d/null_blk nr_devices=1 irqmode=0 queue_mode=2 gb=1 bs=4096
# The first run fills caches and does not count.
fio_rate --iodepth=32 >/dev/null
sh "$0" measure bare
pintrace record -o /tmp/a.pintrace -- sh "$0" measure record
pintrace record --no-findings -o /tmp/b.pintrace -- sh "$0" measure 'record --no-findings'
pintrace serve >/tmp/serve 2>&1 &
server=$!
wait_for serving /tmp/serve
# No memory has been pinned yet, so the finding hooks wait.
for number in $(seq "$RUNS"); do
	bystanders 'serve, no pins'
done
# The first pins attach the hooks, which takes a while and does not count.
pinload bench register-buffers >/dev/null
waited=0
until grep -q '^tlb_finish_mmu ' /sys/kernel/tracing/enabled_functions; do
	[ $waited -lt 3000 ] || { echo "the finding hooks are not attached after 5 minutes"; exit 1; }
	waited=$((waited + 1))
	sleep 0.1
done
sh "$0" measure serve
kill -INT $server
wait $server
# Kernels before 6.12 release pages by other functions.
grep -q '^unpin_user_folio$' /sys/kernel/tracing/available_filter_functions || exit 0
bpftrace /tmp/pins.bt >/tmp/bpftrace 2>&1 &
tracer=$!
wait_for attached /tmp/bpftrace
sh "$0" measure bpftrace
kill -INT $tracer
wait $tracer
grep -q '@hold_ns' /tmp/bpftrace || { echo "bpftrace saw no release:"; cat /tmp/bpftrace; exit 1; }
