import type { ServiceWish } from './service-unit.ts';

const LOG = '/var/log/salvor-agent.log';

/** A SysV script with the headers that `update-rc.d` and `insserv` read. Plain `sh`: nothing but what every system has. */
export function renderInitScript({ command, config }: ServiceWish): string {
  return `#!/bin/sh
### BEGIN INIT INFO
# Provides:          salvor-agent
# Required-Start:    $local_fs $remote_fs $network $time
# Required-Stop:     $local_fs $remote_fs $network
# Should-Start:      mariadb mysql
# Should-Stop:       mariadb mysql
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Salvor agent: backups of this host's sites
### END INIT INFO
# Written by 'salvor install', and again by each.

COMMAND=${quote(command)}
CONFIG=${quote(config)}
PIDFILE=/run/salvor-agent.pid
LOG=${LOG}
# A task that runs is taken back before the agent ends.
MAX_STOP_SECONDS=300

# A number alone may be another process by now.
running() {
  pid=$(cat "$PIDFILE" 2>/dev/null) && [ -n "$pid" ] || return 1
  tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'cli/main.ts agent '
}

start() {
  running && return 0
  [ -e "$CONFIG" ] || { echo "salvor-agent: $CONFIG is missing; write it with: salvor init" >&2; return 6; }
  umask 077
  cd / || return 1
  setsid "$COMMAND" agent --config "$CONFIG" >>"$LOG" 2>&1 </dev/null &
  echo $! >"$PIDFILE"
  # What is wrong with the configuration ends it at once.
  sleep 1
  running || { echo "salvor-agent: did not start; see $LOG" >&2; rm -f "$PIDFILE"; return 1; }
}

stop() {
  running || { rm -f "$PIDFILE"; return 0; }
  kill -TERM "$pid"
  seconds=0
  while running; do
    [ "$seconds" -lt "$MAX_STOP_SECONDS" ] || { echo "salvor-agent: process $pid does not stop" >&2; return 1; }
    sleep 1
    seconds=$((seconds + 1))
  done
  rm -f "$PIDFILE"
}

case "$1" in
  start) start ;;
  stop) stop ;;
  restart | force-reload) stop && start ;;
  status)
    if running; then echo "salvor-agent runs, process $pid"; else echo "salvor-agent does not run"; exit 3; fi
    ;;
  *)
    echo "Usage: $0 {start|stop|restart|force-reload|status}" >&2
    exit 2
    ;;
esac
`;
}

export function renderLogRotation(): string {
  return `${LOG} {
  monthly
  rotate 12
  compress
  missingok
  notifempty
  copytruncate
}
`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
