import { ask } from "./page.js";

const form = document.getElementById("log-in");
const password = document.getElementById("password");
const fault = document.getElementById("fault");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  fault.textContent = "";
  try {
    await ask("/api/log-in", "POST", { password: password.value });
    location.replace("/");
  } catch (error) {
    fault.textContent = error.message;
    password.select();
  }
});

// A link from elsewhere brings no cookie along; from here on it does.
const session = await ask("/api/session").catch(() => null);
if (session?.in) location.replace("/");
