-- oldest-code: 6
DROP TABLE "order"."inbox_cursor" CASCADE;