// Everything the page says, in English and Korean; and the one place where it says it.

const WORDS = {
  grab: ["Grab", "잡기"],
  brush: ["Brush", "브러시"],
  eraser: ["Eraser", "지우개"],
  lasso: ["Lasso", "올가미"],
  box: ["Box", "사각형"],
  points: ["Drag points", "점 끌기"],
  hand: ["Hand", "화면 이동"],
  grabHint: ["Click a thing to pick it, drag to move it.", "물체를 클릭해 고르고, 끌어서 옮기세요."],
  brushHint: ["Paint what you mean.", "원하는 부분을 칠하세요."],
  eraserHint: ["Take pixels out of the selection.", "선택에서 뺄 부분을 지우세요."],
  lassoHint: ["Draw round it. Shift adds, Alt takes away.", "둘레를 그리세요. Shift는 더하기, Alt는 빼기."],
  boxHint: ["Draw a box round it. Shift adds, Alt takes away.", "사각형으로 감싸세요. Shift는 더하기, Alt는 빼기."],
  pointsHint: ["Press, pull, release. A click is a pin that holds still.", "누르고 끌어서 놓으세요. 클릭하면 고정점입니다."],
  regions: ["Regions", "영역"],
  regionsHint: ["Draw round a part, then drag its outline or corners.", "부분을 둘러 그린 뒤, 윤곽이나 모서리를 끄세요."],
  face: ["Face", "얼굴"],
  faceHint: ["Pull the landmarks of a face. Shift pulls one alone.", "얼굴의 특징점을 끄세요. Shift는 한 점만."],
  findFace: ["Find the drawn face", "그려진 얼굴 찾기"],
  fileFace: ["Landmarks from a file", "파일에서 특징점"],
  like: ["Like another picture or file", "다른 그림·파일처럼"],
  faceBack: ["Put the landmarks back", "특징점 되돌리기"],
  landmarks: ["Landmarks", "특징점"],
  landmarkCount: ["{} landmarks", "특징점 {}개"],
  landmarkFile: ["That file holds no landmarks; give a JSON list of 68 or 17 points [x, y].", "특징점이 없는 파일입니다. 점 [x, y] 68개나 17개의 JSON 목록을 주세요."],
  landmarksOutside: ["Some of the landmarks lie outside the picture; give those of this picture.", "그림 밖의 특징점이 있습니다. 이 그림의 특징점을 주세요."],
  crossing: ["That outline crosses itself or holds nothing; draw round it once.", "윤곽이 엇갈리거나 비어 있습니다. 한 번만 둘러 그리세요."],
  asRegion: ["As region", "영역으로"],
  fillLike: ["Filled like the marked part", "표시한 부분처럼 채움"],
  fillLikeThis: ["Fill the hole like the selection", "선택처럼 빈 곳 채우기"],
  about: ["Words it is about", "바뀌는 낱말"],
  aboutHint: ["apple, blue 1.5", "apple, blue 1.5"],
  target: ["Where it will be: marked", "생길 곳: 표시함"],
  asTarget: ["The selection is where it will be", "선택한 곳에 생기게"],
  whereHint: ["Select where it is; without, the words say where.", "있는 곳을 선택하세요. 없으면 글로 찾습니다."],
  variants: ["Side by side", "나란히 보기"],
  takeVariant: ["Take {}", "{} 고르기"],
  compareWith: ["Compare the current one with: {}", "지금 것과 비교: {}"],
  current: ["shown", "보는 중"],
  variantsReady: ["{} results, side by side. Choose one.", "결과 {}개가 나란히 있습니다. 하나를 고르세요."],
  otherShows: ["What the other picture shows", "다른 그림이 보여 주는 것"],
  window: ["Large pictures: only round the edit", "큰 그림: 편집 부분만"],
  handHint: ["Drag the view. Wheel or pinch zooms.", "화면을 끌어 옮기세요. 휠이나 두 손가락으로 확대합니다."],
  open: ["Open", "열기"],
  undo: ["Undo", "실행 취소"],
  redo: ["Redo", "다시 실행"],
  compare: ["Compare", "비교"],
  compareAt: ["Compare: how much of the picture before is shown", "비교: 이전 그림이 보이는 정도"],
  download: ["Download PNG", "PNG 저장"],
  json: ["Request JSON", "요청 JSON"],
  zoomIn: ["Zoom in", "확대"],
  zoomOut: ["Zoom out", "축소"],
  fit: ["Fit", "맞춤"],
  theme: ["Light or dark", "밝게/어둡게"],
  language: ["한국어", "English"],
  keys: ["Keyboard shortcuts", "단축키"],
  run: ["Run", "실행"],
  stop: ["Stop", "중지"],
  changes: ["Changes", "변경"],
  nothing: ["Nothing yet. Click a thing in the picture and drag it where you want it.", "아직 없습니다. 그림에서 물체를 클릭하고 원하는 곳으로 끌어 보세요."],
  move: ["Move", "이동"],
  remove: ["Erase", "제거"],
  paste: ["Paste", "붙여넣기"],
  replace: ["New look", "모양 바꾸기"],
  drag: ["Drag points", "점 끌기"],
  reword: ["Words", "글"],
  selection: ["Selection", "선택"],
  erase: ["Erase it", "제거하기"],
  deselect: ["Deselect", "선택 해제"],
  grow: ["Grow", "넓히기"],
  shrink: ["Shrink", "줄이기"],
  copy: ["Copy object", "물체 복사"],
  pasteHere: ["Paste object", "물체 붙여넣기"],
  takeLook: ["Look of copied", "복사한 모양으로"],
  snap: ["Find the object in the box", "사각형 안의 물체 찾기"],
  size: ["Size", "크기"],
  right: ["Right", "오른쪽"],
  down: ["Down", "아래"],
  scale: ["Scale", "배율"],
  angle: ["Turn", "회전"],
  delete: ["Delete", "삭제"],
  within: ["inside the selection", "선택 안에서"],
  clear: ["Clear all", "모두 지우기"],
  words: ["Change by words", "글로 바꾸기"],
  wordsHint: ["What the result is to show, e.g. “a blue house on snow”", "결과가 보여 줄 것, 예: “a blue house on snow”"],
  shows: ["What the picture shows", "그림이 보여 주는 것"],
  showsHint: ["Optional; helps Stable Diffusion", "선택 사항; Stable Diffusion에 도움이 됩니다"],
  quality: ["Quality", "품질"],
  quick: ["Quick", "빠르게"],
  normal: ["Normal", "보통"],
  fine: ["Fine", "정밀"],
  seeds: ["Variants", "변형 수"],
  advanced: ["Advanced", "고급"],
  model: ["Model", "모델"],
  method: ["Method", "방법"],
  byEdit: ["Chosen by the edit", "편집에 따라 자동"],
  steps: ["Steps", "단계"],
  seed: ["Seed", "시드"],
  guidance: ["Guidance", "가이던스"],
  auto: ["auto", "자동"],
  negative: ["What it should not look like", "피하고 싶은 것"],
  preserve: ["Keep pixels outside exactly", "바깥 픽셀 그대로 유지"],
  reset: ["Reset", "초기화"],
  history: ["History", "기록"],
  original: ["Original", "원본"],
  again: ["Edit this plan again", "이 계획 다시 편집"],
  stoppedMark: ["stopped", "중지됨"],
  queued: ["Waiting, {} ahead", "대기 중, 앞에 {}개"],
  loading: ["Loading the model", "모델 불러오는 중"],
  inverting: ["Reading the picture", "그림 읽는 중"],
  memorising: ["Memorising the picture", "그림 익히는 중"],
  preparing: ["Preparing", "준비 중"],
  editing: ["Drawing the result", "결과 그리는 중"],
  drawing: ["Drawing", "그리는 중"],
  left: ["{} left", "{} 남음"],
  seconds: ["{} s", "{}초"],
  minutes: ["{} min", "{}분"],
  stopped: ["Stopped.", "중지했습니다."],
  stoppedKept: ["Stopped; what there was is kept.", "중지했습니다. 그때까지의 결과를 남겼습니다."],
  unreachable: ["The studio's server does not answer. Is it still running?", "스튜디오 서버가 응답하지 않습니다. 실행 중인지 확인하세요."],
  unsaved: ["The browser could not keep this session; download what you need.", "브라우저가 작업을 저장하지 못했습니다. 필요한 것을 내려받으세요."],
  scaled: ["The picture was scaled down to {}.", "그림을 {}로 줄였습니다."],
  restored: ["The plan and the picture of this result were restored.", "이 결과의 계획과 원본을 복원했습니다."],
  welcome: ["Move things in pictures", "그림 속 물체를 옮기세요"],
  welcomeText: ["Drop a picture here, paste one, or choose a file.", "그림을 끌어다 놓거나, 붙여넣거나, 파일을 고르세요."],
  choose: ["Choose a picture", "그림 고르기"],
  scenes: ["or begin with a drawn scene", "또는 그려진 장면으로 시작"],
  scene: ["Scene {}", "장면 {}"],
  imagine: ["or draw one from words", "또는 글로 그리기"],
  imagineHint: ["a red apple on a wooden table", "a red apple on a wooden table"],
  draw: ["Draw", "그리기"],
  workspace: ["In the workspace", "작업 폴더"],
  recent: ["Continue", "이어서 하기"],
  canvas: ["Picture. Arrow keys move the cross or the object, Space picks or places, Enter runs.", "그림. 화살표로 십자나 물체를 옮기고, 스페이스로 고르거나 놓고, Enter로 실행합니다."],
  tools: ["Tools", "도구"],
  close: ["Close", "닫기"],
  ready: ["Done", "완료"],
} as const;

export type Word = keyof typeof WORDS;
export type Language = "en" | "ko";

let language: Language = globalThis.navigator?.language.startsWith("ko") ? "ko" : "en"; // unit tests have none
try {
  const kept = localStorage.getItem("language");
  if (kept === "en" || kept === "ko") language = kept;
} catch {
  // a browser that keeps nothing
}

export const speaks = (): Language => language;

export function speak(next: Language): void {
  language = next;
  document.documentElement.lang = next;
  try {
    localStorage.setItem("language", next);
  } catch {
    // a browser that keeps nothing
  }
}

/** A text in the language of the page, with `{}` filled. */
export const text = (word: Word, value: string | number = ""): string => WORDS[word][language === "en" ? 0 : 1].replace("{}", String(value));

/** Say something to the person: shown for a while, and read by screen readers. */
export function say(sentence: string, kind: "good" | "bad" = "good"): void {
  const place = document.querySelector("#says")!;
  const note = document.createElement("div");
  note.className = `note ${kind}`;
  note.setAttribute("role", kind === "bad" ? "alert" : "status");
  note.textContent = sentence;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "×";
  close.ariaLabel = text("close");
  close.onclick = () => note.remove();
  note.append(close);
  place.append(note);
  setTimeout(() => note.remove(), kind === "bad" ? 12000 : 6000);
  while (place.children.length > 4) place.firstElementChild!.remove();
}
