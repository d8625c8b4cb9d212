// What an address says was done is told once, and not again when the page is loaded anew or its address sent on.

const address = new URL(location.href);
for (const name of ["done", "saved", "deleted"]) {
  address.searchParams.delete(name);
}
if (address.href !== location.href) {
  history.replaceState(history.state, "", address);
}
