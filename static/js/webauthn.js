// Security keys: a form with [data-security-key] asks one before it is sent, with the options that stand in it as JSON.
// `create` makes a key known, `get` shows a known one; the answer goes along in the field `webauthn`.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
  .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function decoded(options) {
  const keys = (list) => (list ?? []).map((key) => ({ ...key, id: bytes(key.id) }));
  const ready = { ...options, challenge: bytes(options.challenge) };
  if (options.user) ready.user = { ...options.user, id: bytes(options.user.id) };
  if (options.excludeCredentials) ready.excludeCredentials = keys(options.excludeCredentials);
  if (options.allowCredentials) ready.allowCredentials = keys(options.allowCredentials);
  return ready;
}

function encoded({ id, rawId, type, response }) {
  const told = { clientDataJSON: text(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) told[name] = text(response[name]);
  }
  if (response.getTransports) told.transports = response.getTransports();
  return { id, rawId: text(rawId), type, response: told, clientExtensionResults: {} };
}

function meaning(error) {
  if (error.name === "InvalidStateError") return "This security key is known already.";
  if (error.name === "SecurityError") return "Security keys do not work at this address.";
  return "No security key answered. Try again, and touch it when it blinks.";
}

document.addEventListener("submit", async (event) => {
  const form = event.target.closest("form[data-security-key]");
  if (!form) return;
  event.preventDefault();
  const problem = form.querySelector("[data-problem]");
  problem.hidden = true;
  try {
    if (!window.PublicKeyCredential) throw new DOMException("", "SecurityError");
    const publicKey = decoded(JSON.parse(form.querySelector("script[type='application/json']").textContent));
    const answer = await navigator.credentials[form.dataset.securityKey]({ publicKey });
    form.elements.webauthn.value = JSON.stringify(encoded(answer));
    form.submit();
  } catch (error) {
    problem.textContent = meaning(error);
    problem.hidden = false;
  }
});
