/** Time limits that no test is about, long enough for a loaded machine. */

/** For a connection to Postgres. */
export const CONNECT_LIMIT_MS = 600_000
