CREATE TABLE "desk"."inbox_pause" (
	"subscription" text PRIMARY KEY NOT NULL,
	"time" timestamp with time zone DEFAULT now() NOT NULL
);
