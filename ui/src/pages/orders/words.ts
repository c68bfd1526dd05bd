import type { Words } from '@/kit/words'
export default {
  nav: ['常备', 'Orders'], heading: ['常备指令', 'Standing orders'], hint: ['事先签好，到级即办，不等人；每一次都写明是系统自动', 'Signed beforehand; done at once when the grade is reached, and always marked automatic'],
  add: ['签一条新的', 'Sign a new one'], valid: ['有效', 'In force'], ended: ['已终止', 'Ended'], all: ['全部', 'All'], waiting: ['未生效', 'Not yet'], none: ['没有常备指令', 'No standing orders'], noneHint: ['没有指令时，预警一律等人签发。', 'Without one, every warning waits for a person.'],
  state: ['状态', 'State'], title: ['名称', 'Name'], hazard: ['灾种', 'Hazard'], from: ['起动等级', 'From grade'], place: ['范围', 'Place'], does: ['自动办', 'Does'], signer: ['签发', 'Signed by'], validity: ['有效期', 'Validity'], version: ['第 {n} 版', 'version {n}'], open: ['长期', 'no end'],
  h_: ['任何', 'Any'], h_slope: ['边坡', 'Slope'], h_flood: ['内涝与水位', 'Flood'], h_rain: ['强降雨', 'Heavy rain'], h_device: ['设备中断', 'Devices'],
  a_issue: ['发布预警', 'Issue the warning'], a_siren_on: ['拉响警报', 'Sound the siren'], a_play: ['大喇叭播放', 'Play on loudspeakers'], a_display: ['上屏显示', 'Show on screens'], k_siren: ['警报器', 'siren'], k_loudspeaker: ['大喇叭', 'loudspeaker'], k_terminal: ['终端', 'terminal'],
  wholeArea: ['区划', 'Area'], oneSite: ['监测对象', 'Site'], choose: ['请选择', 'Choose'], until: ['失效（北京时间，空为长期）', 'Ends (Beijing time; empty: no end)'], same: ['同名、同灾种、同范围的旧指令随之终止。', 'An older order of the same name, hazard and area ends with it.'], nothing: ['至少选一项', 'Choose at least one'],
  sign: ['签发', 'Sign'], sure: ['再按一次，签发', 'Press again to sign'], signed: ['已签发', 'Signed'], end: ['终止', 'End'], endOf: ['终止《{title}》', 'End “{title}”'], reason: ['为什么终止', 'Why it ends'], stands: ['它已发布的预警仍然有效，由人解除。', 'Warnings it issued stay until a person lifts them.'], done: ['已终止', 'Ended'],
} satisfies Words
