-- oldest-code: 8
DROP TABLE IF EXISTS "order"."inbox_cursor" CASCADE;