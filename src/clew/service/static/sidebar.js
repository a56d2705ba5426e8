// The list of conversations beside the talk: a narrow window hides it until it is asked for.

const $ = (id) => document.getElementById(id);

export const isListShown = () => $("sidebar").classList.contains("shown");

export function closeList() {
  $("sidebar").classList.remove("shown");
  $("open-list").setAttribute("aria-expanded", "false");
}
$("open-list").addEventListener("click", () => {
  $("sidebar").classList.add("shown");
  $("open-list").setAttribute("aria-expanded", "true");
  $("new").focus();
});
$("close-list").addEventListener("click", () => {
  closeList();
  $("open-list").focus();
});
document.querySelector("main").addEventListener("click", (event) => !event.target.closest("#open-list") && closeList());
