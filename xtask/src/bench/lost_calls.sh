# 20 threads read 64 pages a call for 10 seconds, on two processors, three times.
set -e
value() { # key
	sed -n "s/.*\"$1\": *\(-\{0,1\}[0-9]*\).*/\1/p" /tmp/report | head -n 1
}
sample() { # column, amount
	printf 'sample\t%s\t{"workload":"20 threads, 64 pages a call","amount":%s}\n' "$1" "$2"
}
printf 'kernel\t%s\n' "$(uname -r)"
job='--name=job --filename=/mnt/file --size=128M --bs=256k --rw=randread --direct=1 --ioengine=psync --thread --numjobs=20'
fio $job --create_only=1 --output=/dev/null
for run in 1 2 3; do
	pintrace record --force -o /tmp/x.pintrace -- \
		fio $job --time_based --runtime=10 --group_reporting --minimal --output=/tmp/fio
	pintrace report --json /tmp/x.pintrace >/tmp/report
	# The fields of the terse output: KiB read, bandwidth, rate.
	reads=$(awk -F';' '{ print $6 / 256 }' /tmp/fio)
	calls=$(echo "$reads" | awk '{ print 2 * $1 }')
	lost=$(value recursion_missed)
	sample 'pin and release calls' "$calls"
	sample 'lost, per million' "$(echo "$lost $calls" | awk '{ print $1 / $2 * 1e6 }')"
	# Pages that vmstat counted as pinned or released and that no program saw; each lost call has 64.
	missing=0
	for key in vmstat_acquired vmstat_released; do
		missing=$((missing + $(value $key)))
	done
	for key in ledger_acquired ledger_released preexisting_released lost_pin_released gup_retry gup_retry; do
		missing=$((missing - $(value $key)))
	done
	sample 'in no counter' "$(echo "$missing $lost" | awk '{ rest = $1 / 64 - $2; print (rest > 0 ? rest : 0) }')"
done
