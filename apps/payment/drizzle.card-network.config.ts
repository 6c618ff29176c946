import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: "./src/provider/card-network-schema.ts",
  out: "./migrations-card-network",
  schemaFilter: ["card_network"],
});
