# Runs fio over null_blk bare, recorded, and recorded without findings, in turns. null_blk completes each request inside
# the submission, so the rates do not depend on the host.
set -e
# The module is loaded already, without these parameters.
rmmod null_blk
insmod /etc/guest/modules.d/null_blk nr_devices=1 irqmode=0 queue_mode=2 gb=1 bs=4096
set -- fio --name=bench --filename=/dev/nullb0 --size=80M --bs=4k --rw=randread --direct=1 --ioengine=io_uring \
	--iodepth=32 --output-format=json
# The first run fills caches and does not count.
"$@" >/dev/null
for number in $(seq "$RUNS"); do
	"$@" --output="/out/bare-$number.json"
	pintrace record -o /tmp/x.pintrace -- "$@" --output="/out/record-$number.json"
	pintrace record --no-findings -o /tmp/y.pintrace -- "$@" --output="/out/no-findings-$number.json"
	rm -f /tmp/x.pintrace /tmp/y.pintrace
done
