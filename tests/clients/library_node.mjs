// Plays a scenario of library.mjs with the built package, and ends by itself: whatever was left running would hold it.
import { Answer, Sophie } from "../../clients/js/dist/sophie.js";
import { play } from "./library.mjs";

const told = await play({ ...JSON.parse(process.argv[2]), Sophie, Answer });
console.log(JSON.stringify(told));
if (told.fault) process.exit();
