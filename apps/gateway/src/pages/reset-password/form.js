// Runs in the browser, unchanged, after link-form.js, inside the page that page.ts makes.
(() => {
  const invalid =
    "This link is no longer valid: it was used, has expired, or was replaced by a newer one. Request a new link on the sign-in page, and open the one in the newest e-mail.";

  const form = pageElement("form", HTMLFormElement);
  const password = pageElement("password", HTMLInputElement);
  const shown = pageElement("shown", HTMLInputElement);

  shown.addEventListener("change", () => {
    password.type = shown.checked ? "text" : "password";
  });

  runLinkForm({
    control: password,
    done: "Your password is set. Sign in with it. All earlier sessions were signed out.",
    fields: () => ({ newPassword: password.value }),
    reset() {
      form.reset();
      password.type = "password";
    },
    outcomeOf(details) {
      if (details.some(({ reason }) => reason === "RESET_TOKEN_INVALID")) return { problem: invalid, isFinal: true };
      const violations = details.flatMap(({ fieldViolations = [] }) => fieldViolations);
      const rule = violations.find(({ field }) => field === "new_password" || field === "newPassword");
      if (rule === undefined) return undefined;
      // The description ends with the rule's name in brackets, which is for programs.
      return { problem: `The new password ${rule.description.replace(/ \[[^\]]*\]$/, "")}.`, isInvalid: true };
    },
  });
})();
