/** The page that asks for a token or a password: the form works by itself. */

import { find } from "./element.js";
import { keepTheme } from "./controls/theme.js";

keepTheme(find("theme", HTMLButtonElement), () => {});
