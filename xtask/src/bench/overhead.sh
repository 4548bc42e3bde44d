# Alternates bare and recorded runs, so that a drift affects both kinds equally.
set -e
set -- fio --name=bench --filename=/mnt/file --size=40M --bs=4k --rw=randread --direct=1 --ioengine=io_uring --iodepth=32 \
	--output-format=json
"$@" --create_only=1 >/dev/null
# The first run does not count: it is a fifth slower than later runs.
"$@" >/dev/null
for number in $(seq "$PAIRS"); do
	"$@" --output="/out/bare-$number.json"
	pintrace record -o /tmp/x.pintrace -- "$@" --output="/out/recorded-$number.json"
	rm -f /tmp/x.pintrace
done
