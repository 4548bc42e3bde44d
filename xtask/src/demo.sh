# Processes that pin memory, each in its own rhythm, behind the user's `pintrace top`; the guest ends with it.
pinload demo --quiet &
pintrace top
