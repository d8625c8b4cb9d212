// Removes what an address says was done, so that it is not shown again when the page is reloaded or its address shared.

const address = new URL(location.href);
for (const name of ["done", "saved", "deleted"]) {
  address.searchParams.delete(name);
}
if (address.href !== location.href) {
  history.replaceState(history.state, "", address);
}
