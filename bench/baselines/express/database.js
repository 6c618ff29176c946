import pg from "pg";

export function createPool() {
  return new pg.Pool({ connectionString: process.env.BENCH_DATABASE_URL, max: 10 });
}
