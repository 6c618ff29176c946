// Runs in the browser, unchanged, after link-form.js, inside the page that page.ts makes.
runLinkForm({
  control: pageElement("confirm", HTMLButtonElement),
  done: "Your address is confirmed. You can close this page.",
  fields: () => ({}),
  reset: () => undefined,
  outcomeOf(details) {
    const has = (/** @type {string} */ wanted) => details.some(({ reason }) => reason === wanted);
    if (has("CONFIRMATION_TOKEN_INVALID"))
      return {
        problem:
          "This link is no longer valid: it has expired, was replaced by a newer one, or your account's address was changed. Request a new link on the sign-in page, and open the one in the newest e-mail.",
        isFinal: true,
      };
    if (has("EMAIL_TAKEN"))
      return {
        problem: "Another account uses this address now. Sign in and choose another address for your account.",
        isFinal: true,
      };
    return undefined;
  },
});
