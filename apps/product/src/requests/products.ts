import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { ProductSchema, type ProductService, type UpdateProductRequest } from "@rialto/contracts";
import { type AuditChange, type Database, once, recordAudit } from "@rialto/database";
import {
  auditChanges,
  auditOf,
  CallError,
  callErrors,
  cancelSignalOf,
  type Handlers,
  pageOf,
  readPage,
  requireAnswerFits,
} from "@rialto/rpc";
import { validate as isUuid, v7 as uuid } from "uuid";
import { errors } from "../errors.ts";
import { productBytes, productMessage } from "../product/message.ts";
import type { ProductSearch } from "../product/search.ts";
import {
  canSeeInactive,
  changeProduct,
  isVisible,
  type Product,
  type ProductChange,
  searchWordsMax,
  searchWordsOf,
} from "../product/state.ts";
import { insertProduct, lockProduct, type ProductStore, updateProduct } from "../product/store.ts";
import { type CatalogPages, listOf } from "./catalog-pages.ts";

interface Parts {
  readonly database: Database;
  readonly products: ProductStore;
  readonly pages: CatalogPages;
  readonly search: ProductSearch;
}

/** The RPC handlers of the catalog. */
export function products(app: Parts): Handlers<typeof ProductService> {
  const { sql } = app.database;
  return {
    async createProduct({ product: given }, ctx) {
      if (given?.price === undefined) throw new CallError(callErrors.INVALID_REQUEST);
      const { name, description, category, price, active } = given;
      const product: Product = {
        id: uuid(),
        name,
        description,
        category,
        price: price.minorUnits,
        currency: price.currencyCode,
        active,
        createTime: ctx.now,
        updateTime: ctx.now,
      };
      const answer = await once(sql, ctx.idempotencyKey, async (tx) => {
        await insertProduct(tx, product);
        await recordAudit(
          tx,
          auditOf(ctx, { subject: `product:${product.id}`, changes: changesOf(undefined, product) }),
        );
        return toJson(ProductSchema, create(ProductSchema, productMessage(product)));
      });
      return { product: fromJson(ProductSchema, answer) };
    },

    async getProduct({ id }, ctx) {
      const [product] = await app.products.byIds([id], { signal: cancelSignalOf(ctx) });
      if (product === undefined || !isVisible(product, ctx.caller)) throw new CallError(errors.PRODUCT_NOT_FOUND);
      return { product: productMessage(product) };
    },

    async batchGetProducts({ ids }, ctx) {
      const found = await app.products.byIds(ids, { signal: cancelSignalOf(ctx) });
      const byId = new Map(found.map((product) => [product.id, product]));
      const ordered = ids.map((id) => byId.get(id)).filter((product) => product !== undefined);
      const visible = ordered.filter((product) => isVisible(product, ctx.caller)).map(productMessage);
      return { products: requireAnswerFits(visible, productBytes, "ids") };
    },

    async listProducts(request, ctx) {
      const words = searchWordsOf(request.query);
      if (words === undefined) {
        const fields = [{ field: "query", description: `must have at most ${searchWordsMax} words` }];
        throw new CallError(callErrors.INVALID_REQUEST, { fields });
      }
      const filter = {
        words,
        category: request.category === "" ? undefined : request.category,
        activeOnly: !canSeeInactive(ctx.caller),
      };
      const list = listOf(filter);
      const from = pageOf(request, list.filter, [isUuid]);
      if (words.length === 0) return await app.pages.load({ filter, from }, { signal: cancelSignalOf(ctx) });
      const { messages, nextPageToken } = await readPage(from, {
        ...list,
        read: ({ after, limit }) => app.search.find(filter, { after: after?.[0], limit }, ctx),
      });
      return { products: messages, nextPageToken };
    },

    async updateProduct(request, ctx) {
      const change = changeOf(request);
      const answer = await once(sql, ctx.idempotencyKey, async (tx) => {
        const before = await lockProduct(tx, request.id);
        if (before === undefined) throw new CallError(errors.PRODUCT_NOT_FOUND);
        const after = changeProduct(before, change, ctx.now);
        await updateProduct(tx, after);
        const changes = changesOf(before, after);
        if (changes.length > 0) await recordAudit(tx, auditOf(ctx, { subject: `product:${before.id}`, changes }));
        return toJson(ProductSchema, create(ProductSchema, productMessage(after)));
      });
      return { product: fromJson(ProductSchema, answer) };
    },
  };
}

/** The changes for the audit log: the values of prices and states, and for texts only that they changed. */
function changesOf(before: Product | undefined, after: Product): readonly AuditChange[] {
  return auditChanges(before, after, {
    name: { personal: ({ name }) => name },
    description: { personal: ({ description }) => description },
    category: { personal: ({ category }) => category },
    "price.minor_units": ({ price }) => price,
    "price.currency_code": ({ currency }) => currency,
    active: ({ active }) => active,
  });
}

/**
 * The fields in the mask, or the ones that are set if there is no mask. A text field in the mask without a value is
 * cleared, except the name.
 */
function changeOf({ product, updateMask }: UpdateProductRequest): ProductChange {
  const paths = updateMask?.paths ?? [];
  const named = (path: string) => paths.includes(path);
  const needed = ["name", "price", "active"] as const;
  const missing = needed.filter((path) => named(path) && product?.[path] === undefined);
  if (missing.length > 0) {
    const description = "is named by update_mask and has no value";
    throw new CallError(callErrors.INVALID_REQUEST, {
      fields: missing.map((path) => ({ field: `product.${path}`, description })),
    });
  }
  const wanted = (path: string) => paths.length === 0 || named(path);
  return {
    name: wanted("name") ? product?.name : undefined,
    description: wanted("description") ? (product?.description ?? (named("description") ? "" : undefined)) : undefined,
    category: wanted("category") ? (product?.category ?? (named("category") ? "" : undefined)) : undefined,
    price: wanted("price") ? product?.price?.minorUnits : undefined,
    currency: wanted("price") ? product?.price?.currencyCode : undefined,
    active: wanted("active") ? product?.active : undefined,
  };
}
