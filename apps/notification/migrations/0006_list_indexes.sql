DROP INDEX IF EXISTS "notification"."inbox_time";--> statement-breakpoint
DROP INDEX IF EXISTS "notification"."notification_failed";--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "audit_entry_method" ON "notification"."audit_entry" USING btree ("method","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "audit_entry_method_actor" ON "notification"."audit_entry" USING btree ("method","actor","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "inbox_subscription_time" ON "notification"."inbox" USING btree ("subscription","time");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "inbox_pending_dead" ON "notification"."inbox_pending" USING btree ("event_id","subscription") WHERE state = 'DEAD';--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "inbox_pending_dead_of_one" ON "notification"."inbox_pending" USING btree ("subscription","event_id") WHERE state = 'DEAD';--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "notification_state" ON "notification"."notification" USING btree ("state","id");--> statement-breakpoint
CREATE INDEX IF NOT EXISTS "notification_state_user" ON "notification"."notification" USING btree ("state","user_id","id");--> statement-breakpoint
-- Rows of these leave as fast as they come: vacuumed by the fiftieth part of the table, not by the fifth.
ALTER TABLE "notification"."idempotency" SET (autovacuum_vacuum_scale_factor = 0.02);--> statement-breakpoint
ALTER TABLE "notification"."inbox" SET (autovacuum_vacuum_scale_factor = 0.02);
