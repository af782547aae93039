/* SPDX-License-Identifier: MIT */
document.querySelectorAll("[data-copies]").forEach(button => button.onclick = async () => {
	await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent);
	button.textContent = "Copied";
});
const dialog = document.querySelector("dialog"), large = dialog.querySelector("img");
document.querySelectorAll(".enlarge").forEach(button => button.onclick = () => {
	const image = button.querySelector("img");
	large.src = image.src;
	large.alt = image.alt;
	dialog.showModal();
});
/* Paper has nothing to unfold; how each figure was made can stay away. */
onbeforeprint = () => document.querySelectorAll("section > details").forEach(each => each.open = true);
