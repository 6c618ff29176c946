CREATE TABLE "note" (
	"id" integer PRIMARY KEY,
	"text" text NOT NULL
);
