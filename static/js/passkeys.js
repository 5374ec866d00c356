/* Has the browser make or use a passkey when such a form is sent, and sends the answer with it. */
for (const form of document.querySelectorAll("form[data-passkey]")) {
  const say = (words) => {
    const problem = form.querySelector("[data-problem]");
    problem.querySelector("p").textContent = words;
    problem.hidden = !words;
  };
  const question = async () => {
    if (form.dataset.question) return JSON.parse(document.getElementById(form.dataset.question).textContent).publicKey;
    const response = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new DOMException("", "Refused");
    return (await response.json()).request_options.publicKey;
  };
  const answer = (asked) => {
    if (form.dataset.passkey === "get") return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(asked) });
    const alone = form.elements.passwordless.checked;
    asked.authenticatorSelection = { residentKey: alone ? "required" : "discouraged", requireResidentKey: alone, userVerification: alone ? "required" : "preferred" };
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(asked) });
  };
  const WORDS = {
    NotAllowedError: "No passkey was used: the browser’s question was closed, or not answered in time. Try again.",
    InvalidStateError: "This device already holds a passkey for your account.",
    SecurityError: "Passkeys need the portal’s name in the address, such as localhost, not a number.",
    Refused: "The portal answers no more attempts from this address for now. Wait five minutes.",
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopPropagation();
    say("");
    event.submitter.disabled = true;
    try {
      form.elements.credential.value = JSON.stringify(await answer(await question()));
      form.submit();
    } catch (error) {
      say(WORDS[error.name] || `This browser cannot use passkeys here (${error.name}). Use another way.`);
    }
    event.submitter.disabled = false;
  });
}
