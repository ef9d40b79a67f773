/** The page of the HTTP interface: nothing but its theme moves. */

import { keepTheme } from "./controls/theme.js";
import { find } from "./element.js";

keepTheme(find("theme", HTMLButtonElement), () => {});
