CREATE TABLE "card_network"."entry" (
	"key" text PRIMARY KEY NOT NULL,
	"kind" text NOT NULL,
	"authorization_key" text NOT NULL,
	"order_reference" text NOT NULL,
	"amount" bigint NOT NULL,
	"currency" text NOT NULL,
	"payment_method" text NOT NULL,
	"outcome" text NOT NULL,
	"code" text,
	"reference" text NOT NULL,
	"create_time" timestamp with time zone DEFAULT now() NOT NULL,
	"answer_time" timestamp with time zone NOT NULL,
	CONSTRAINT "entry_kind" CHECK (kind in ('AUTHORIZE', 'CAPTURE', 'VOID', 'REFUND')),
	CONSTRAINT "entry_outcome" CHECK (outcome in ('APPROVED', 'DECLINED')),
	CONSTRAINT "entry_amount" CHECK (amount >= 0)
);
--> statement-breakpoint
CREATE TABLE "card_network"."failure" (
	"key" text PRIMARY KEY NOT NULL,
	"count" integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX "entry_order" ON "card_network"."entry" USING btree ("order_reference");--> statement-breakpoint
CREATE INDEX "entry_authorization" ON "card_network"."entry" USING btree ("authorization_key","kind");--> statement-breakpoint
CREATE UNIQUE INDEX "entry_captured_once" ON "card_network"."entry" USING btree ("authorization_key") WHERE kind = 'CAPTURE' and outcome = 'APPROVED';