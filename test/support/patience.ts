/** Waits that are no test's matter: a machine under load may take its time. */

/** For a connection to Postgres. */
export const CONNECT_LIMIT_MS = 600_000
