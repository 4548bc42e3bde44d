# Runs workloads that pin memory in the background, and pintrace top on the terminal; the guest ends when top ends.
pinload demo --quiet &
pintrace top
