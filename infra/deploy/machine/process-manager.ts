/** What a deploy needs of whatever starts and keeps the programs: systemd, or our supervisor. */
export interface ProcessManager {
  /** Reads unit files that were changed. */
  reload(): Promise<void>
  /**
   * Starts a unit and settles once it reports that it is ready (a oneshot: once it has succeeded).
   * Errors: OperatorError unit_failed, with the end of its log.
   */
  start(unit: string): Promise<void>
  /** Stops it if it runs, and starts it. Errors: as of start. */
  restart(unit: string): Promise<void>
  /** Settles once it has ended. */
  stop(unit: string): Promise<void>
  /** Started, ready or not. */
  isActive(unit: string): Promise<boolean>
  /** Whether it starts with the machine. */
  setEnabled(unit: string, is_enabled: boolean): Promise<void>
}
